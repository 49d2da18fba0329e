//! The paths and parameters that clients of mjpg-streamer and ustreamer use.

use hotshoe_test_support::client::{Viewer, get, request};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{built_in_pictures, wait_until};

const CAMERAS: [&str; 4] = ["--camera", "front=emulated,fps=20", "--camera", "yard=emulated,fps=10"];

#[test]
fn streams_are_at_all_their_paths() {
    let server = Server::start(&CAMERAS);
    for path in [
        "/video_feed",
        "/video_feed/front",
        "/stream",
        "/stream/yard",
        "/stream.mjpg",
        "/stream/yard.mjpg",
        "/?action=stream",
        "/?action=stream_0",
        "/?action=stream_1",
        "/?action=stream&timestamp=1",
        "/stream?ignored.mjpg&bypassCache=1",
        "/?timestamp=1&action=stream",
    ] {
        let mut viewer = Viewer::watch(server.address, path);
        assert_eq!(viewer.header("content-type"), Some("multipart/x-mixed-replace; boundary=frame"), "{path}");
        assert!(built_in_pictures().contains(&viewer.part().jpeg), "{path}");
    }
}

#[test]
fn snapshots_are_at_all_their_paths() {
    let server = Server::start(&CAMERAS);
    for path in [
        "/snapshot",
        "/snapshot/yard",
        "/snapshot.jpg",
        "/snapshot/yard.jpg",
        "/?action=snapshot",
        "/?action=snapshot_1",
        "/?action=snapshot&cacheBust=1",
    ] {
        let snapshot = get(server.address, path);
        assert_eq!((snapshot.status, snapshot.header("content-type")), (200, Some("image/jpeg")), "{path}");
        assert!(built_in_pictures().contains(&snapshot.body), "{path}");
    }
}

#[test]
fn cameras_and_actions_that_are_not_there_are_404() {
    let server = Server::start(&CAMERAS);
    for path in ["/?action=stream_2", "/?action=snapshot_2", "/?action=command", "/stream/attic", "/state/attic"] {
        assert_eq!(get(server.address, path).status, 404, "{path}");
    }
}

#[test]
fn the_state_is_told_by_the_keys_of_ustreamer() {
    let server = Server::start(&CAMERAS);
    let idle = get(server.address, "/state");
    assert_eq!(idle.header("content-type"), Some("application/json"));
    let idle = idle.json();
    assert_eq!((&idle["ok"], &idle["result"]["source"]["online"]), (&true.into(), &false.into()));
    assert_eq!(idle["result"]["stream"]["clients"], 0);
    assert_eq!(server.capture_threads(), 0, "asking opens no camera");

    let mut viewer = Viewer::watch(server.address, "/stream?key=printer-1");
    let cookie = viewer.header("set-cookie").unwrap().to_owned();
    let id =
        cookie.strip_prefix("stream_client=printer-1/").and_then(|rest| rest.split_once(';')).unwrap().0.to_owned();
    let slow = Viewer::watch(server.address, "/stream?advance_headers=1&fps=2");
    assert_eq!(slow.header("set-cookie"), None);
    let watching = std::thread::spawn(move || while viewer.try_part().is_ok() {});
    wait_until("the viewer's rate is told", || {
        let state = get(server.address, "/state").json();
        let stream = &state["result"]["stream"];
        assert_eq!(stream["clients"], 2, "{state}");
        stream["clients_stat"][&id]["fps"].as_u64() > Some(15) && state["result"]["source"]["captured_fps"] == 20
    });
    let state = get(server.address, "/state/front").json();
    let result = &state["result"];
    assert_eq!(result["source"]["resolution"], serde_json::json!({"width": 640, "height": 480}));
    assert_eq!((&result["source"]["online"], &result["source"]["desired_fps"]), (&true.into(), &20.into()));
    assert_eq!(result["encoder"]["type"], "HW", "nothing is encoded");
    let clients = result["stream"]["clients_stat"].as_object().unwrap();
    assert_eq!(clients.len(), 2);
    assert_eq!((&clients[&id]["key"], &clients[&id]["advance_headers"]), (&"printer-1".into(), &false.into()));
    let other = clients.iter().find(|(other, _)| **other != id).unwrap().1;
    assert_eq!((&other["key"], &other["advance_headers"]), (&"0".into(), &true.into()));
    drop(server);
    watching.join().unwrap();
}

#[test]
fn a_key_that_is_none_sets_no_cookie() {
    let server = Server::start(&CAMERAS);
    for path in ["/stream?key=", "/stream?key=a%0d%0aX-Evil:1", "/stream?key=a;b", "/stream?key=a/b"] {
        let viewer = Viewer::watch(server.address, path);
        assert_eq!((viewer.status, viewer.header("set-cookie")), (200, None), "{path}");
    }
}

#[test]
fn extra_headers_tell_more_of_each_picture() {
    let server = Server::start(&CAMERAS);
    let mut viewer = Viewer::watch(server.address, "/stream?extra_headers=1");
    let mut chunk = viewer.chunk();
    for _ in 0..5 {
        let end = chunk.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(chunk[..end].to_vec()).unwrap();
        let header =
            |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).expect(name);
        assert_eq!(header("X-UStreamer-Online"), "true");
        assert!(header("X-UStreamer-Dropped").parse::<u64>().is_ok());
        assert!(header("X-UStreamer-Client-FPS").parse::<u32>().unwrap() <= 40);
        assert_eq!((header("X-UStreamer-Width"), header("X-UStreamer-Height")), ("640", "480"));
        let seconds = |name: &str| header(name).parse::<f64>().unwrap();
        let latency = seconds("X-UStreamer-Send-Time") - seconds("X-UStreamer-Grab-Begin-Time");
        assert!((latency - seconds("X-UStreamer-Latency")).abs() < 1e-5 && latency >= 0.0);
        let length: usize = header("Content-Length").parse().unwrap();
        let picture = &chunk[end + 4..][..length];
        assert!(built_in_pictures().iter().any(|known| known == picture));
        assert_eq!(&chunk[end + 4 + length..], b"\r\n--frame\r\n");
        chunk = viewer.chunk();
    }
}

#[test]
fn advanced_headers_come_with_the_picture_before() {
    let server = Server::start(&CAMERAS);
    let mut viewer = Viewer::watch(server.address, "/stream?advance_headers=1");
    let mut stream = viewer.chunk();
    for _ in 0..5 {
        stream.extend(viewer.chunk());
    }
    let mut rest = &stream[..];
    for number in 0..6 {
        let headers =
            rest.strip_prefix(b"--frame\r\nContent-Type: image/jpeg\r\nX-Timestamp: ").expect("a part's head");
        let end = headers.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let body = &headers[end + 4..];
        let known = built_in_pictures().into_iter().find(|known| body.starts_with(known));
        let length = known.unwrap_or_else(|| panic!("picture {number} is none")).len();
        rest = body[length..].strip_prefix(b"\r\n").unwrap();
    }
    assert!(rest.ends_with(b"\r\n\r\n"), "the head of the picture that is to come");
}

#[test]
fn options_say_what_can_be_done() {
    let server = Server::start(&CAMERAS);
    for path in ["/", "/stream", "/snapshot", "/?action=stream"] {
        let reply = request(server.address, "OPTIONS", path);
        assert_eq!((reply.status, reply.header("allow")), (204, Some("GET, HEAD, OPTIONS")), "{path}");
        assert!(reply.body.is_empty());
    }
    let reply = request(server.address, "OPTIONS", "/controls/front");
    assert_eq!((reply.status, reply.header("allow")), (204, Some("GET, HEAD, OPTIONS, POST")));
}
