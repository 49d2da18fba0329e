//! The built-in guest's multipart streams: their bytes, their rate, and which viewer is sent which frame.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::thread;

use hotshoe_test_support::client::{Part, Viewer, get};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{built_in_pictures, pictures, wait_until};

#[test]
fn the_response_head_has_the_documented_headers() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    for path in ["/video_feed", "/video_feed/emulated", "/video_feed?t=1"] {
        let viewer = Viewer::watch(server.address, path);
        assert_eq!(viewer.status, 200);
        let mut headers: BTreeMap<_, _> =
            viewer.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
        assert!(headers.remove("date").is_some());
        assert_eq!(
            headers,
            BTreeMap::from([
                ("content-type".to_owned(), "multipart/x-mixed-replace; boundary=frame"),
                ("cache-control".to_owned(), "no-store, no-cache, must-revalidate, max-age=0"),
                ("pragma".to_owned(), "no-cache"),
                ("expires".to_owned(), "Mon, 3 Jan 2000 12:34:56 GMT"),
                ("x-accel-buffering".to_owned(), "no"),
                ("x-content-type-options".to_owned(), "nosniff"),
                ("referrer-policy".to_owned(), "same-origin"),
                ("transfer-encoding".to_owned(), "chunked"),
            ])
        );
    }
}

#[test]
fn the_body_is_byte_for_byte_as_documented() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    let first = viewer.chunk();
    let mut rest = first.strip_prefix(b"--frame\r\n").expect("the body starts with the boundary").to_vec();
    let all = built_in_pictures();
    let mut seen = BTreeSet::new();
    for _ in 0..10 {
        // One chunk of the transfer coding is one whole part. The first also has the opening boundary.
        let part = if rest.is_empty() { viewer.chunk() } else { std::mem::take(&mut rest) };
        let head_end = part.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let head = std::str::from_utf8(&part[..head_end]).unwrap();
        let timestamp = head.lines().nth(2).unwrap().strip_prefix("X-Timestamp: ").unwrap();
        let jpeg = part[head_end..].strip_suffix(b"\r\n--frame\r\n").expect("the chunk ends with the next boundary");
        let sequence = head.lines().nth(3).unwrap().strip_prefix("X-Sequence: ").unwrap();
        let length = jpeg.len();
        assert_eq!(
            head,
            format!(
                "Content-Type: image/jpeg\r\nContent-Length: {length}\r\nX-Timestamp: {timestamp}\r\n\
                 X-Sequence: {sequence}\r\n\r\n"
            )
        );
        assert!(sequence.parse::<u64>().is_ok(), "{head}");
        let index =
            all.iter().position(|picture| picture == jpeg).expect("the image is one of the built-in ones, unchanged");
        seen.insert(index);
    }
    assert!(seen.len() > 1, "all parts have the same image");
}

#[test]
fn the_newest_frame_is_sent_again_after_a_second() {
    let server = Server::start(&["--camera", "emulated,fps=0.1"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    let first = viewer.part();
    assert_eq!(viewer.part(), first);
    assert_eq!(viewer.part(), first);
}

#[test]
fn new_viewers_are_sent_the_newest_frame_at_once() {
    let server = Server::start(&["--camera", "emulated,fps=0.1"]);
    let first = Viewer::watch(server.address, "/video_feed").part();
    // The next frame comes after ten seconds.
    for _ in 0..5 {
        assert_eq!(Viewer::watch(server.address, "/video_feed").part(), first);
    }
}

#[test]
fn fifty_viewers_share_one_camera() {
    const VIEWERS: usize = 50;
    const PARTS: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), 64, 0);
    let camera = format!("emulated:{},fps=30", folder.path().display());
    let server = Server::start(&["--camera", &camera]);
    let address = server.address;
    let mut viewers: Vec<_> = (0..VIEWERS).map(|_| Viewer::watch(address, "/video_feed")).collect();
    let seen: Vec<Vec<Part>> = thread::scope(|scope| {
        // The parser panics if a part is cut.
        let read = |viewer: &mut Viewer| (0..PARTS).map(|_| viewer.part()).collect();
        let watchers: Vec<_> = viewers.iter_mut().map(|viewer| scope.spawn(move || read(viewer))).collect();
        watchers.into_iter().map(|watcher| watcher.join().unwrap()).collect()
    });
    assert_eq!(server.capture_threads(), 1, "{:?}", server.threads());
    drop(viewers);
    // How many frames a viewer is sent depends on the machine, and a benchmark measures it. But they are always in
    // order, and all viewers see the same frame for a timestamp.
    let mut pictures_by_time = HashMap::new();
    for part in seen.iter().flatten() {
        let number = pictures::number(&part.jpeg);
        assert_eq!(*pictures_by_time.entry(part.timestamp.clone()).or_insert(number), number, "{}", part.timestamp);
    }
    for parts in seen {
        let times: Vec<f64> = parts.iter().map(|part| part.timestamp.parse().unwrap()).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
}

#[test]
fn slow_viewers_skip_to_the_newest_frame() {
    let folder = tempfile::tempdir().unwrap();
    // Frames so large that the kernel buffers only a few for a viewer.
    const PICTURES: u32 = 300;
    pictures::fill(folder.path(), PICTURES, 500_000);
    let camera = format!("emulated:{},fps=30", folder.path().display());
    let server = Server::start(&["--camera", &camera]);
    let mut slow = Viewer::watch(server.address, "/video_feed");
    let before = pictures::number(&slow.part().jpeg);
    let mut fast = Viewer::watch(server.address, "/video_feed");
    let fast_first = pictures::number(&fast.part().jpeg);
    // The slow viewer does not read while the fast one is sent a hundred frames.
    let distance = |from: u32, to: u32| (to + PICTURES - from) % PICTURES;
    let mut newest = fast_first;
    let mut elapsed = 0;
    while elapsed < 100 {
        let number = pictures::number(&fast.part().jpeg);
        elapsed += distance(newest, number);
        newest = number;
    }
    // Then it reads the few that were in buffers, and right after them the newest: most of the frames it missed lie
    // between two parts.
    let mut last = before;
    for buffered in 0.. {
        let number = pictures::number(&slow.part().jpeg);
        if distance(last, number) > 50 {
            break;
        }
        assert!(buffered < 30, "sent old frame {number}, long after {newest}");
        last = number;
    }
}

#[test]
fn viewers_of_two_cameras_do_not_share_frames() {
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), 8, 0);
    let yard = format!("yard=emulated:{},fps=20", folder.path().display());
    let server = Server::start(&["--camera", "front=emulated,fps=20", "--camera", &yard]);
    let mut front = Viewer::watch(server.address, "/video_feed/front");
    let mut first = Viewer::watch(server.address, "/video_feed");
    let mut yard = Viewer::watch(server.address, "/video_feed/yard");
    for _ in 0..10 {
        for viewer in [&mut front, &mut first] {
            let Part { jpeg, .. } = viewer.part();
            assert!(built_in_pictures().contains(&jpeg));
        }
        assert!(pictures::number(&yard.part().jpeg) < 8);
    }
    wait_until("both cameras are open", || server.capture_threads() == 2);
}

#[test]
fn one_response_carries_the_pictures_of_several_cameras() {
    let cameras =
        ["--camera", "front=emulated,fps=20", "--camera", "yard=emulated,fps=5", "--camera", "shed=/dev/video99"];
    let server = Server::start(&cameras);
    let mut viewer = Viewer::watch(server.address, "/pictures?cameras=yard,front,shed");
    assert_eq!(viewer.header("content-type"), Some("multipart/mixed; boundary=frame"));
    let all = built_in_pictures();
    let mut counts = BTreeMap::<String, usize>::new();
    let mut opening: &[u8] = b"--frame\r\n";
    while ["front", "yard", "shed"].iter().any(|camera| counts.get(*camera).is_none_or(|count| *count < 3)) {
        let chunk = viewer.chunk();
        let part = chunk.strip_prefix(std::mem::take(&mut opening)).unwrap();
        let head_end = part.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let head = std::str::from_utf8(&part[..head_end]).unwrap();
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let jpeg = part[head_end..].strip_suffix(b"\r\n--frame\r\n").unwrap();
        assert_eq!(value("Content-Length: "), jpeg.len().to_string());
        assert!(value("X-Timestamp: ").contains('.') && value("X-Sequence: ").parse::<u64>().is_ok(), "{head}");
        let camera = value("X-Camera: ");
        assert_eq!(value("X-Online: "), (camera != "shed").to_string());
        assert_eq!(all.iter().any(|picture| picture == jpeg), camera != "shed");
        *counts.entry(camera.to_owned()).or_default() += 1;
    }
    assert!(counts["front"] > counts["yard"], "each camera has its own rate: {counts:?}");
    let count =
        |camera: &str| get(server.address, &format!("/state/{camera}")).json()["result"]["stream"]["clients"].clone();
    assert_eq!((count("front"), count("yard"), count("shed")), (1.into(), 1.into(), 1.into()));
    drop(viewer);
    wait_until("no camera has viewers", || count("front") == 0 && count("yard") == 0 && count("shed") == 0);
}

#[test]
fn pictures_of_unknown_cameras_are_not_found() {
    let server = Server::start(&["--camera", "front=emulated"]);
    for path in ["/pictures?cameras=front,yard", "/pictures?cameras=", "/pictures/front"] {
        assert_eq!(get(server.address, path).status, 404, "{path}");
    }
}
