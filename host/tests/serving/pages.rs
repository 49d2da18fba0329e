//! The page, snapshots, and paths that do not exist.

use std::io::{BufReader, Read, Write};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hotshoe_test_support::built_in_pictures;
use hotshoe_test_support::client::{Reply, connect, get, raw_request, read_head, request};
use hotshoe_test_support::server::Server;

const CAMERAS: [&str; 6] = ["--camera", "front=emulated,fps=20", "--camera", "yard=emulated,fps=20", "--linger", "1"];

#[test]
fn the_page_shows_every_camera() {
    let server = Server::start(&CAMERAS);
    let page = get(server.address, "/");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let html = page.text();
    for name in ["front", "yard"] {
        // Relative, so that the page works behind a proxy under any path.
        assert!(html.contains(&format!("<img src=\"video_feed/{name}\"")), "{html}");
        assert!(html.contains(&format!("href=\"snapshot/{name}\"")), "{html}");
    }
    assert!(html.find("video_feed/front") < html.find("video_feed/yard"), "in the order of the options");
}

#[test]
fn a_snapshot_is_a_picture_of_the_camera() {
    let server = Server::start(&CAMERAS);
    for path in ["/snapshot", "/snapshot/front", "/snapshot/yard", "/snapshot/yard?cacheBust=1"] {
        let snapshot = get(server.address, path);
        assert_eq!(snapshot.status, 200, "{path}");
        assert_eq!(snapshot.header("content-type"), Some("image/jpeg"));
        assert_eq!(snapshot.header("content-length"), Some(snapshot.body.len().to_string().as_str()));
        assert!(snapshot.header("cache-control").unwrap().contains("no-store"));
        assert!(snapshot.header("x-timestamp").unwrap().parse::<f64>().unwrap() > 1.7e9);
        assert!(built_in_pictures().contains(&snapshot.body), "{path}");
    }
}

/// When the picture of a snapshot was taken.
#[track_caller]
fn taken(snapshot: &Reply) -> SystemTime {
    assert_eq!(snapshot.status, 200, "{}", snapshot.text());
    UNIX_EPOCH + Duration::from_secs_f64(snapshot.header("x-timestamp").unwrap().parse().unwrap())
}

#[test]
fn a_snapshot_with_max_age_0_was_taken_after_the_request() {
    let server = Server::start(&["--camera", "emulated,fps=5"]);
    for path in ["/snapshot?max_age=0", "/snapshot/emulated.jpg?max_age=0s", "/?action=snapshot&max_age=0ms"] {
        for _ in 0..3 {
            // The header has microseconds.
            let before = SystemTime::now() - Duration::from_micros(1);
            let snapshot = get(server.address, path);
            assert!(
                taken(&snapshot) >= before,
                "{path}: {:?} before the request",
                before.duration_since(taken(&snapshot))
            );
        }
    }
}

#[test]
fn a_snapshot_of_a_slow_camera_is_as_old_as_the_client_allows_or_an_error_within_five_seconds() {
    // It delivers a frame when it opens, and the next one after 100 seconds.
    let server = Server::start(&["--camera", "emulated,fps=0.01,keep-open"]);
    let first = taken(&get(server.address, "/snapshot?max_age=60s"));
    assert_eq!(taken(&get(server.address, "/snapshot?max_age=60")), first, "it waited for the next frame");
    let requested = Instant::now();
    let (refused, newest) = thread::scope(|scope| {
        let newest = scope.spawn(|| get(server.address, "/snapshot"));
        (get(server.address, "/snapshot?max_age=0"), newest.join().unwrap())
    });
    // OctoPrint waits for five seconds.
    assert!(requested.elapsed() < Duration::from_secs(5), "{:?}", requested.elapsed());
    assert_eq!(taken(&newest), first, "without max_age=, the newest frame is better than none");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.text().contains("use a larger max_age="), "{}", refused.text());
}

#[test]
fn an_invalid_max_age_is_refused() {
    let server = Server::start(&CAMERAS);
    for value in ["", "-1", "2m", "1e3", "soon", "9999999"] {
        let refused = get(server.address, &format!("/snapshot?max_age={value}"));
        assert_eq!(refused.status, 400, "{value}: {}", refused.text());
        assert!(refused.text().contains("such as 0, 2s or 500ms"), "{}", refused.text());
    }
}

#[test]
fn a_snapshot_is_fresh_even_if_it_has_to_wait_for_the_next_frame() {
    // At 2 frames per second, the newest frame is stale for 200 of 500 ms.
    let server = Server::start(&["--camera", "emulated,fps=2"]);
    let mut last = taken(&get(server.address, "/snapshot"));
    for _ in 0..4 {
        let age = last.elapsed().unwrap();
        thread::sleep(Duration::from_millis(310).saturating_sub(age));
        // The previous snapshot is now at least 310 ms old.
        let next = taken(&get(server.address, "/snapshot"));
        assert!(next > last);
        last = next;
    }
}

#[test]
fn head_responses_equal_get_responses_without_the_body() {
    let server = Server::start(&CAMERAS);
    for path in ["/", "/snapshot", "/video_feed", "/nothing"] {
        let head = request(server.address, "HEAD", path);
        assert!(head.body.is_empty(), "{path}");
        let (status, content_type) = match path {
            "/" => (200, "text/html; charset=utf-8"),
            "/snapshot" => (200, "image/jpeg"),
            "/video_feed" => (200, "multipart/x-mixed-replace; boundary=frame"),
            _ => (404, "text/plain; charset=utf-8"),
        };
        assert_eq!((head.status, head.header("content-type")), (status, Some(content_type)), "{path}");
    }
    let length = |method| request(server.address, method, "/").header("content-length").unwrap().to_owned();
    assert_eq!(length("HEAD"), length("GET"));
}

#[test]
fn unknown_paths_and_cameras_are_404() {
    let server = Server::start(&CAMERAS);
    for path in
        ["/nothing", "/video_feed/attic", "/snapshot/attic", "/video_feed2/", "/snapshot/front/x", "/%2e%2e", "/%2F/x"]
    {
        assert_eq!(get(server.address, path).status, 404, "{path}");
    }
}

#[test]
fn other_methods_are_405() {
    let server = Server::start(&CAMERAS);
    for method in ["POST", "PUT", "DELETE", "BREW"] {
        let reply = request(server.address, method, "/video_feed");
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD, OPTIONS")), "{method}");
    }
}

#[test]
fn http_1_0_without_a_host_is_served() {
    let server = Server::start(&CAMERAS);
    let (snapshot, rest) = raw_request(server.address, b"GET /snapshot HTTP/1.0\r\n\r\n", false);
    rest.unwrap();
    assert_eq!(snapshot.status, 200);
    assert!(built_in_pictures().contains(&snapshot.body));
}

#[test]
fn invalid_http_is_400() {
    let server = Server::start(&CAMERAS);
    for bytes in ["GET\r\n\r\n", "\x01\x02\x03\r\n\r\n", "GET / HTTP/1.1\r\nHost\r\n\r\n"] {
        let (reply, _) = raw_request(server.address, bytes.as_bytes(), false);
        assert_eq!(reply.status, 400, "{bytes:?}");
    }
    assert_eq!(get(server.address, "/").status, 200);
}

#[test]
fn one_connection_serves_many_requests() {
    let server = Server::start(&CAMERAS);
    let mut stream = connect(server.address);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..10 {
        write!(stream, "GET /snapshot HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let (status, headers) = read_head(&mut reader);
        assert_eq!(status, 200);
        let length =
            headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length")).unwrap().1.parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        assert!(built_in_pictures().contains(&body));
    }
}
