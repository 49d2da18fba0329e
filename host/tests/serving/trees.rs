//! Trees: servers whose camera is another server. What the first one knows about a frame or an outage reaches every
//! viewer, and each server reads one stream.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hotshoe_test_support::client::{Part, Viewer, get};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, built_in_pictures, has_ipv6, wait_until};

/// Starts a server whose camera `front` is that of another one.
fn relay(upstream: &Server, path: &str) -> Server {
    let url = format!("front=http://{}{path}", upstream.address);
    Server::start(&["--camera", &url, "--linger", "0.3"])
}

/// Reads parts until one is a placeholder, or until one is not.
#[track_caller]
fn wait_for_part(viewer: &mut Viewer, is_placeholder: bool) -> Part {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let part = viewer.part();
        if part.header("x-outage").is_some() == is_placeholder {
            return part;
        }
        assert!(Instant::now() < deadline, "only other parts, such as {:?}", part.headers);
    }
}

fn age(part: &Part) -> Duration {
    let captured = UNIX_EPOCH + Duration::from_secs_f64(part.timestamp.parse().unwrap());
    SystemTime::now().duration_since(captured).unwrap_or_default()
}

/// Returns the number of viewers of the camera `front`.
fn viewers(server: &Server) -> u64 {
    get(server.address, "/state/front").json()["result"]["stream"]["clients"].as_u64().unwrap()
}

#[test]
fn numbers_and_times_of_capture_are_those_of_the_first_server() {
    let origin = Server::start(&["--camera", "front=emulated,fps=20"]);
    // So that the numbers of the servers differ unless they are passed on.
    let mut early = Viewer::watch(origin.address, "/video_feed");
    while early.part().sequence() < 10 {}
    let first = relay(&origin, "/video_feed");
    let second = relay(&first, "/video_feed");
    let mut direct = Viewer::watch(origin.address, "/video_feed");
    let mut relayed = Viewer::watch(second.address, "/video_feed");
    let mut known: Vec<Part> = Vec::new();
    let (mut compared, mut last) = (0, 0);
    while compared < 5 {
        let part = relayed.part();
        assert!(part.sequence() > last, "{} after {last}", part.sequence());
        last = part.sequence();
        assert!(last < 1000, "only {compared} frames could be compared");
        while known.last().is_none_or(|last| last.sequence() < part.sequence()) {
            known.push(direct.part());
        }
        // The direct viewer may have skipped it.
        if let Some(same) = known.iter().find(|known| known.sequence() == part.sequence()) {
            assert_eq!((&part.timestamp, &part.jpeg), (&same.timestamp, &same.jpeg));
            compared += 1;
        }
    }
}

#[test]
fn frames_stay_fresh_over_three_hops() {
    const FRAME_PERIOD: Duration = Duration::from_millis(250);
    // A hop that keeps a frame until the next one arrives adds a frame period.
    let origin = Server::start(&["--camera", "front=emulated,fps=4"]);
    let first = relay(&origin, "/stream");
    let second = relay(&first, "/?action=stream");
    let mut viewer = Viewer::watch(second.address, "/video_feed");
    viewer.part();
    let mut ages: Vec<_> = (0..20).map(|_| age(&viewer.part())).collect();
    ages.sort();
    // At the median, because other tests run beside this one.
    assert!(ages[10] < FRAME_PERIOD, "{ages:?}");
}

#[test]
fn a_relay_reads_one_stream_for_all_its_viewers_and_none_without() {
    let origin = Server::start(&["--camera", "front=emulated,fps=20", "--linger", "0.3"]);
    let relay = relay(&origin, "/video_feed");
    get(relay.address, "/");
    assert_eq!(viewers(&origin), 0);
    let mut watching: Vec<_> = (0..20).map(|_| Viewer::watch(relay.address, "/video_feed")).collect();
    watching.iter_mut().for_each(|viewer| drop(viewer.part()));
    assert_eq!((viewers(&origin), viewers(&relay)), (1, 20));
    drop(watching);
    wait_until("the relay has left", || viewers(&origin) == 0);
    origin.wait_for_log("camera front: closed");
}

#[test]
fn an_outage_of_the_first_server_is_that_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Server::start(&["--camera", &format!("front=emulated:{},fps=20", folder.path().display())]);
    let first = relay(&origin, "/video_feed");
    let second = relay(&first, "/video_feed");
    let mut viewer = Viewer::watch(second.address, "/video_feed");
    let placeholder = viewer.part();
    let reason = "no usable JPEG file (.jpg, .jpeg) in the folder";
    let outage = placeholder.header("x-outage").unwrap();
    assert!(outage.starts_with(&format!("not-found {reason}")), "{outage}");
    let direct = Viewer::watch(origin.address, "/video_feed").part();
    assert_eq!(direct.header("x-outage"), Some(outage));
    for server in [&first, &second] {
        let snapshot = get(server.address, "/snapshot");
        assert_eq!((snapshot.status, snapshot.header("x-outage")), (503, Some(outage)));
        assert!(snapshot.text().contains(reason), "{}", snapshot.text());
        server.wait_for_log(&format!("camera front: the server reports: {reason}"));
        // Placeholders are no frames.
        assert_eq!(get(server.address, "/log.csv").text().lines().count(), 1);
    }
    // The connections stay open, so the picture is there as soon as the first camera is.
    wait_until("only the relay is connected", || viewers(&origin) == 1);
    std::fs::write(folder.path().join("1.jpg"), &built_in_pictures()[0]).unwrap();
    let returned = wait_for_part(&mut viewer, false);
    assert_eq!(returned.jpeg, built_in_pictures()[0]);
    assert_eq!(viewers(&origin), 1);
    assert_eq!(first.log().matches("(retrying)").count(), 0, "{}", first.log());
}

#[test]
fn a_restart_of_the_first_server_is_shown_and_survived() {
    let origin = Server::start(&["--camera", "front=emulated,fps=20"]);
    let address = origin.address.to_string();
    let first = relay(&origin, "/video_feed");
    let second = relay(&first, "/video_feed");
    let mut viewer = Viewer::watch(second.address, "/video_feed");
    while viewer.part().sequence() < 30 {}
    drop(origin);
    let lost = wait_for_part(&mut viewer, true);
    let outage = lost.header("x-outage").unwrap();
    assert!(outage.contains(&address), "{outage}");
    let last = lost.sequence();
    let _origin = Server::start(&["--camera", "front=emulated,fps=20", "--listen", &address]);
    let back = wait_for_part(&mut viewer, false);
    assert!(back.sequence() > last, "numbers never restart: {} after {last}", back.sequence());
}

#[test]
fn a_relay_reads_a_server_at_an_ipv6_address() {
    if !has_ipv6() {
        return;
    }
    let origin = Server::start(&["--camera", "front=emulated,fps=20", "--listen", "[::1]:0"]);
    let relay = relay(&origin, "/video_feed");
    let part = Viewer::watch(relay.address, "/video_feed").part();
    assert!(part.header("x-outage").is_none() && built_in_pictures().contains(&part.jpeg), "{:?}", part.headers);
    let address = format!("http://[::1]:{}/video_feed", origin.address.port());
    relay.wait_for_log(&format!("camera front: {address}"));
    drop(origin);
    // The reason names the address as a URL does.
    let mut viewer = Viewer::watch(relay.address, "/video_feed");
    let outage = wait_for_part(&mut viewer, true).header("x-outage").unwrap().to_owned();
    assert!(outage.contains(&address), "{outage}");
}

#[test]
fn snapshots_of_another_server_keep_number_time_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Server::start(&["--camera", &format!("front=emulated:{},fps=2", folder.path().display())]);
    let url = format!("front=http://{}/snapshot,fps=20", origin.address);
    let relay = Server::start(&["--camera", &url]);
    let mut viewer = Viewer::watch(relay.address, "/video_feed");
    let placeholder = viewer.part();
    assert!(placeholder.header("x-outage").unwrap().starts_with("not-found no usable JPEG"), "{placeholder:?}");
    for (number, picture) in built_in_pictures().iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number}.jpg")), picture).unwrap();
    }
    let back = wait_for_part(&mut viewer, false);
    let times: Vec<_> = (0..3).map(|_| viewer.part()).map(|part| (part.sequence(), part.timestamp)).collect();
    assert!(back.sequence() < times[0].0 && times.is_sorted(), "{times:?}");
}
