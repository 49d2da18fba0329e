//! Compatibility with clients of mjpg-streamer and ustreamer: their paths, parameters and headers.

use hotshoe_test_support::client::{Viewer, get, request};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{built_in_pictures, wait_until};

const CAMERAS: [&str; 4] = ["--camera", "front=emulated,fps=20", "--camera", "yard=emulated,fps=10"];

/// The content type of streams at Hotshoe's own paths.
const OWN: &str = "multipart/x-mixed-replace; boundary=frame";
/// The content type of streams at the paths of mjpg-streamer and ustreamer.
const THEIRS: &str = "multipart/x-mixed-replace;boundary=boundarydonotcross";

#[test]
fn streams_are_served_at_all_known_paths() {
    let server = Server::start(&CAMERAS);
    for (path, content_type) in [
        ("/video_feed", OWN),
        ("/video_feed/front", OWN),
        ("/video_feed/", OWN),
        ("//video_feed//yard/", OWN),
        ("/video_feed?fps=5?x", OWN),
        ("/video_feed/yard?fps=5;t=1", OWN),
        ("/video%5Ffeed", OWN),
        ("/stream", THEIRS),
        ("/stream/", THEIRS),
        ("//stream", THEIRS),
        ("/stream/yard", THEIRS),
        ("/stream.mjpg", THEIRS),
        ("/stream/yard.mjpg", THEIRS),
        ("/stream?1699999", THEIRS),
        ("/stream?extra=1?t=2", THEIRS),
        ("/?action=stream", THEIRS),
        ("/?action=stream_0", THEIRS),
        ("/?action=stream_1", THEIRS),
        ("/?action=stream&timestamp=1", THEIRS),
        ("/?action=stream?nonce_dashboard=1", THEIRS),
        ("/?action=stream_1?nonce_dashboard=1", THEIRS),
        ("/?action=stream1699999", THEIRS),
        ("/?Action=Stream", THEIRS),
        ("//?action=stream", THEIRS),
        ("/%3Faction=stream", THEIRS),
        ("/?timestamp=1&amp;action=stream", THEIRS),
        ("/stream?ignored.mjpg&bypassCache=1", THEIRS),
        ("/?timestamp=1&action=stream", THEIRS),
    ] {
        let mut viewer = Viewer::watch(server.address, path);
        assert_eq!(viewer.header("content-type"), Some(content_type), "{path}");
        assert!(built_in_pictures().contains(&viewer.part().jpeg), "{path}");
    }
}

#[test]
fn every_framing_uses_the_announced_boundary() {
    let server = Server::start(&CAMERAS);
    for (path, boundary) in [("/video_feed", "frame"), ("/stream", "boundarydonotcross")] {
        for framing in ["", "?extra_headers=1", "?advance_headers=1"] {
            let mut viewer = Viewer::watch(server.address, &format!("{path}{framing}"));
            let mut stream = viewer.chunk();
            if stream.len() < 1000 {
                stream.extend(viewer.chunk());
            }
            let is_in = |text: String| stream.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(stream.starts_with(format!("--{boundary}\r\nContent-Type: image/jpeg\r\n").as_bytes()), "{path}");
            assert!(is_in(format!("\r\n--{boundary}\r\n")), "{path}{framing}");
        }
    }
}

#[test]
fn state_counts_viewers_of_every_boundary() {
    let server = Server::start(&CAMERAS);
    let _viewers: Vec<_> = ["/video_feed", "/stream", "/?action=stream", "/stream?extra_headers=1"]
        .iter()
        .map(|path| {
            let mut viewer = Viewer::watch(server.address, path);
            viewer.begin_part();
            viewer
        })
        .collect();
    wait_until("all are counted", || get(server.address, "/state").json()["result"]["stream"]["clients"] == 4);
    assert_eq!(server.capture_threads(), 1);
}

#[test]
fn a_rate_is_recognized_in_unusual_queries() {
    let server = Server::start(&["--camera", "emulated,fps=30"]);
    for query in ["fps=2", "fps=2?x", "fps=2;x", "t=1?fps=2", "FPS=2.0"] {
        let mut viewer = Viewer::watch(server.address, &format!("/video_feed?{query}"));
        let time = |part: hotshoe_test_support::client::Part| part.timestamp.parse::<f64>().unwrap();
        let first = time(viewer.part());
        let fifth = (0..4).map(|_| time(viewer.part())).last().unwrap();
        // Four intervals take 2 s at 2 fps, and 0.13 s at 30.
        assert!(fifth - first > 0.7, "{query}: {first}, {fifth}");
    }
}

#[test]
fn snapshots_are_served_at_all_known_paths() {
    let server = Server::start(&CAMERAS);
    for path in [
        "/snapshot",
        "/snapshot/",
        "//snapshot",
        "/snapshot//yard",
        "/snapshot/yard",
        "/snapshot.jpg",
        "/snapshot/yard.jpg",
        "/snapshot?1699999",
        "/?action=snapshot",
        "/?action=snapshot_1",
        "/?action=snapshot&cacheBust=1",
        "/?action=snapshot?1699999",
        "/?action=Snapshot",
        "/?action=snapshot_1foo",
    ] {
        let snapshot = get(server.address, path);
        assert_eq!((snapshot.status, snapshot.header("content-type")), (200, Some("image/jpeg")), "{path}");
        assert!(built_in_pictures().contains(&snapshot.body), "{path}");
    }
}

#[test]
fn repeated_and_trailing_slashes_are_ignored() {
    let server = Server::start(&[&CAMERAS[..], &["--allow-control"]].concat());
    for path in ["/", "/state", "/state/yard", "/log", "/log.csv", "/log/yard.csv", "/controls", "/controls/yard"] {
        let expected = get(server.address, path);
        assert_eq!(expected.status, 200, "{path}");
        for path in [format!("/{path}"), format!("{path}/"), format!("{}//", path.replace('/', "//"))] {
            let reply = get(server.address, &path);
            assert_eq!((reply.status, reply.header("content-type")), (200, expected.header("content-type")), "{path}");
        }
    }
}

#[test]
fn unknown_cameras_and_actions_are_404() {
    let server = Server::start(&CAMERAS);
    for path in ["/?action=stream_2", "/?action=snapshot_2", "/?action=command", "/stream/attic", "/state/attic"] {
        assert_eq!(get(server.address, path).status, 404, "{path}");
    }
}

#[test]
fn state_has_the_keys_of_ustreamer() {
    let server = Server::start(&CAMERAS);
    let idle = get(server.address, "/state");
    assert_eq!(idle.header("content-type"), Some("application/json"));
    let idle = idle.json();
    assert_eq!((&idle["ok"], &idle["result"]["source"]["online"]), (&true.into(), &false.into()));
    assert_eq!(idle["result"]["stream"]["clients"], 0);
    assert_eq!(server.capture_threads(), 0, "the request opens no camera");

    let mut viewer = Viewer::watch(server.address, "/stream?key=printer-1");
    let cookie = viewer.header("set-cookie").unwrap().to_owned();
    let id =
        cookie.strip_prefix("stream_client=printer-1/").and_then(|rest| rest.split_once(';')).unwrap().0.to_owned();
    let slow = Viewer::watch(server.address, "/stream?advance_headers=1&fps=2");
    assert_eq!(slow.header("set-cookie"), None);
    let watching = std::thread::spawn(move || while viewer.try_part().is_ok() {});
    wait_until("the state has the viewer's rate", || {
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
fn an_invalid_key_sets_no_cookie() {
    let server = Server::start(&CAMERAS);
    for path in ["/stream?key=", "/stream?key=a%0d%0aX-Evil:1", "/stream?key=a,b", "/stream?key=a/b"] {
        let viewer = Viewer::watch(server.address, path);
        assert_eq!((viewer.status, viewer.header("set-cookie")), (200, None), "{path}");
    }
}

#[test]
fn extra_headers_describe_each_frame() {
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
        assert_eq!(&chunk[end + 4 + length..], b"\r\n--boundarydonotcross\r\n");
        chunk = viewer.chunk();
    }
}

#[test]
fn advance_headers_sends_each_head_with_the_previous_frame() {
    let server = Server::start(&CAMERAS);
    let mut viewer = Viewer::watch(server.address, "/stream?advance_headers=1");
    let mut stream = viewer.chunk();
    for _ in 0..5 {
        stream.extend(viewer.chunk());
    }
    let mut rest = &stream[..];
    for number in 0..6 {
        let headers = rest
            .strip_prefix(&b"--boundarydonotcross\r\nContent-Type: image/jpeg\r\nX-Timestamp: "[..])
            .expect("a part's head");
        let end = headers.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let body = &headers[end + 4..];
        let known = built_in_pictures().into_iter().find(|known| body.starts_with(known));
        let length = known.unwrap_or_else(|| panic!("frame {number} is not a built-in picture")).len();
        rest = body[length..].strip_prefix(b"\r\n").unwrap();
    }
    assert!(rest.ends_with(b"\r\n\r\n"), "the head of the next frame");
}

#[test]
fn options_lists_the_allowed_methods() {
    let server = Server::start(&CAMERAS);
    for path in ["/", "/stream", "/snapshot", "/?action=stream"] {
        let reply = request(server.address, "OPTIONS", path);
        assert_eq!((reply.status, reply.header("allow")), (204, Some("GET, HEAD, OPTIONS")), "{path}");
        assert!(reply.body.is_empty());
    }
    let reply = request(server.address, "OPTIONS", "/controls/front");
    assert_eq!((reply.status, reply.header("allow")), (204, Some("GET, HEAD, OPTIONS, POST")));
}
