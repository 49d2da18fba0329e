//! Cameras in the network: dialects, still images, credentials, redirects, and when connections open and close.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::http_server::{Exchange, HttpServer};
use hotshoe_test_support::server::{Server, start_failing};
use hotshoe_test_support::{built_in_pictures, wait_until};

/// Sends the built-in pictures in a loop, in the dialect that the path names, until the client leaves.
fn stream_in_dialect(mut exchange: Exchange) -> io::Result<()> {
    let dialect = exchange.path.trim_start_matches('/').to_owned();
    let is = |name: &str| dialect == name;
    let boundary = match dialect.as_str() {
        "dashes" => "; boundary=--frame",
        "quoted" => "; Boundary=\"frame\"",
        "undeclared" => "",
        "wrong-boundary" => "; boundary=other",
        _ => ";boundary=frame",
    };
    let version = if is("http10") { "1.0" } else { "1.1" };
    let content_type = match dialect.as_str() {
        "no-type" => String::new(),
        "ffmpeg" => "Content-Type: application/octet-stream\r\n".to_owned(),
        "mixed" => "Content-Type: multipart/mixed;boundary=frame\r\n".to_owned(),
        _ => format!("Content-Type: multipart/x-mixed-replace{boundary}\r\n"),
    };
    let coding = if is("chunked") || is("tiny-chunks") { "Transfer-Encoding: chunked\r\n" } else { "" };
    exchange.send(format!("HTTP/{version} 200 OK\r\n{content_type}{coding}\r\n"))?;
    let line = if is("lf") { "\n" } else { "\r\n" };
    let opening = if is("preamble") { "a preamble\r\n--frame" } else { "--frame" };
    let mut bytes = format!("{opening}{line}").into_bytes();
    for image in built_in_pictures().iter().cycle() {
        let length = match dialect.as_str() {
            "short-length" => image.len() - 1000,
            "long-length" => image.len() + 100_000,
            _ => image.len(),
        };
        let head = match dialect.as_str() {
            "no-length" => "Content-Type: image/jpeg\r\n\r\n".to_owned(),
            "no-headers" => line.to_owned(),
            "upper-case" => format!("CONTENT-TYPE: IMAGE/JPEG\r\nCONTENT-LENGTH: {length}\r\n\r\n"),
            _ => format!("Content-Type: image/jpeg{line}Content-Length: {length}{line}{line}"),
        };
        bytes.extend(head.as_bytes());
        bytes.extend(image);
        let is_late = is("late-delimiter");
        if !is_late {
            bytes.extend(format!("{line}--frame{line}").as_bytes());
        }
        let size = if is("tiny-chunks") { 9 } else { bytes.len() };
        if coding.is_empty() {
            exchange.send(&bytes)?;
        } else {
            let chunk = |chunk: &[u8]| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
            exchange.send(bytes.chunks(size).flat_map(chunk).collect::<Vec<u8>>())?;
        }
        bytes.clear();
        exchange.pause();
        if is_late {
            bytes.extend(b"\r\n--frame\r\n");
        }
    }
    Ok(())
}

#[test]
fn streams_of_every_dialect_are_served_unchanged() {
    let dialects = [
        "plain",
        "dashes",
        "quoted",
        "undeclared",
        "wrong-boundary",
        "http10",
        "no-type",
        "ffmpeg",
        "mixed",
        "chunked",
        "tiny-chunks",
        "lf",
        "preamble",
        "no-length",
        "no-headers",
        "short-length",
        "long-length",
        "upper-case",
        "late-delimiter",
    ];
    let origin = HttpServer::start(stream_in_dialect);
    let mut args = Vec::new();
    for dialect in dialects {
        args.extend(["--camera".to_owned(), format!("{dialect}={}", origin.url(&format!("/{dialect}")))]);
    }
    let server = Server::start(&args);
    let all = built_in_pictures();
    for dialect in dialects {
        let mut viewer = Viewer::watch(server.address, &format!("/video_feed/{dialect}"));
        // On a busy machine, a viewer skips some.
        let mut seen = BTreeSet::new();
        while seen.len() < all.len() {
            let picture = viewer.part().jpeg;
            assert!(all.contains(&picture), "{dialect}");
            seen.insert(picture);
        }
    }
}

#[test]
fn the_connection_opens_with_the_first_viewer_and_is_shared_and_closes_after_the_last() {
    let origin = HttpServer::start(stream_in_dialect);
    let server = Server::start(&["--camera", &format!("front={}", origin.url("/plain")), "--linger", "0.3"]);
    get(server.address, "/");
    assert_eq!(origin.requests("/").len(), 0, "the page alone opened a connection");
    let mut viewers: Vec<_> = (0..5).map(|_| Viewer::watch(server.address, "/video_feed")).collect();
    for viewer in &mut viewers {
        viewer.part();
    }
    assert_eq!((origin.requests("/").len(), origin.open_connections()), (1, 1));
    server.wait_for_log("camera front: opened");
    drop(viewers);
    server.wait_for_log("camera front: closed, no viewers left; ");
    wait_until("the connection is closed", || origin.open_connections() == 0);
    assert_eq!(origin.requests("/").len(), 1);
    assert_eq!(server.capture_threads(), 0);
}

#[test]
fn still_images_are_requested_at_the_rate_and_count_only_if_they_change() {
    let number = Arc::new(AtomicUsize::new(0));
    let current = number.clone();
    let origin = HttpServer::start(move |mut exchange| {
        let number = current.load(Ordering::SeqCst);
        let tag = format!("\"{number}\"");
        if exchange.path == "/tagged" && exchange.header("if-none-match") == Some(&tag) {
            return exchange.send("HTTP/1.1 304 Not Modified\r\n\r\n");
        }
        let headers = format!("Content-Type: image/jpeg\r\nETag: {tag}\r\n");
        let headers = if exchange.path == "/tagged" { &headers } else { "Content-Type: image/jpeg\r\n" };
        exchange.respond("200 OK", headers, &built_in_pictures()[number % 3])
    });
    for path in ["/tagged", "/plain"] {
        number.store(0, Ordering::SeqCst);
        let server = Server::start(&["--camera", &format!("{},fps=20", origin.url(path))]);
        let mut viewer = Viewer::watch(server.address, "/video_feed");
        assert_eq!(viewer.part().jpeg, built_in_pictures()[0]);
        let before = origin.requests(path).len();
        wait_until("it was requested again", || origin.requests(path).len() > before + 5);
        number.store(1, Ordering::SeqCst);
        while viewer.part().jpeg != built_in_pictures()[1] {}
        // One row for each frame.
        let log = get(server.address, "/log.csv").text();
        assert_eq!(
            log.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit())).count(),
            2,
            "{log}"
        );
        // All requests use one connection.
        assert_eq!(origin.open_connections(), 1);
        drop(viewer);
        drop(server);
        wait_until("the connection is closed", || origin.open_connections() == 0);
    }
}

/// The limit on the rate left it out because it came early, and the server never sent it again.
#[test]
fn a_still_image_that_changes_sooner_than_the_rate_is_shown() {
    const SLOW: Duration = Duration::from_millis(900);
    let requests = Arc::new(AtomicUsize::new(0));
    let origin = HttpServer::start(move |mut exchange| {
        let number = requests.fetch_add(1, Ordering::SeqCst);
        let Some(picture) = built_in_pictures().into_iter().take(2).nth(number) else {
            return exchange.send("HTTP/1.1 304 Not Modified\r\n\r\n");
        };
        let head = format!("Content-Type: image/jpeg\r\nETag: \"{number}\"\r\nContent-Length: {}", picture.len());
        exchange.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n"))?;
        if number == 0 {
            // The next request is due when this image has arrived.
            thread::sleep(SLOW);
        }
        exchange.send(picture)
    });
    let server = Server::start(&["--camera", &format!("{},fps=2", origin.url("/"))]);
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    while viewer.part().jpeg != built_in_pictures()[1] {}
}

/// Writes a file that only its owner can read.
fn credentials_file(folder: &Path, content: &str) -> String {
    let path = folder.join("credentials");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn credentials_are_sent_only_to_the_origin_that_asks_and_appear_nowhere() {
    let other = HttpServer::start(stream_in_dialect);
    let target = other.url("/plain");
    let origin = HttpServer::start(move |mut exchange| {
        match (exchange.path.as_str(), exchange.header("authorization")) {
            // RFC 7617, section 2.
            (_, Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")) if exchange.path.starts_with("/redirect") => {
                exchange.respond("302 Found", &format!("Location: {target}\r\n"), b"")
            }
            (_, Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")) => stream_in_dialect(exchange),
            (_, None) => exchange.respond("401 Unauthorized", "WWW-Authenticate: Basic realm=\"cam\"\r\n", b""),
            (path, other) => panic!("{path}: {other:?}"),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = credentials_file(folder.path(), "Aladdin:open sesame\n");
    let server = Server::start(&[
        "--camera",
        &format!("front={},credentials={file}", origin.url("/plain?token=geheim")),
        "--camera",
        &format!("back={},credentials={file}", origin.url("/redirect")),
    ]);
    for camera in ["front", "back"] {
        let picture = Viewer::watch(server.address, &format!("/video_feed/{camera}")).part().jpeg;
        assert!(built_in_pictures().contains(&picture), "{camera}");
    }
    assert_eq!(origin.requests("/plain").len(), 2, "one without credentials, one with");
    let forwarded = other.requests("/plain");
    assert!(!forwarded.is_empty() && forwarded.iter().all(|head| !head.to_lowercase().contains("authorization")));
    let shown = [server.log(), get(server.address, "/").text(), get(server.address, "/state/front").text()].concat();
    assert!(shown.contains(&origin.url("/plain")), "{shown}");
    for secret in ["Aladdin", "sesame", "QWxhZGRpbj", "geheim"] {
        assert!(!shown.contains(secret), "{secret} is shown: {shown}");
    }
}

#[test]
fn a_redirect_to_another_server_that_asks_for_credentials_is_explained() {
    let asking = |mut exchange: Exchange| {
        assert_eq!(exchange.header("authorization"), None);
        exchange.respond("401 Unauthorized", "WWW-Authenticate: Basic realm=\"cam\"\r\n", b"")
    };
    let other = HttpServer::start(asking);
    let target = other.url("/plain");
    let origin =
        HttpServer::start(move |mut exchange| exchange.respond("302 Found", &format!("Location: {target}\r\n"), b""));
    let folder = tempfile::tempdir().unwrap();
    let file = credentials_file(folder.path(), "Aladdin:open sesame\n");
    let server = Server::start(&["--camera", &format!("{},credentials={file}", origin.url("/"))]);
    let reason = get(server.address, "/snapshot").text();
    let expected = format!("redirects to http://{}, which requires a user name and a password", other.address);
    assert!(reason.contains(&expected), "{reason}");
}

#[test]
fn credentials_that_others_can_read_are_refused_at_startup() {
    let folder = tempfile::tempdir().unwrap();
    let file = credentials_file(folder.path(), "user:password");
    let fails = |spec: &str| {
        let output = start_failing(["--camera", spec]);
        String::from_utf8(output.stderr).unwrap()
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let error = fails(&format!("http://127.0.0.1:1/,credentials={file}"));
    assert!(error.contains("other users can access the credentials file"), "{error}");
    credentials_file(folder.path(), "password");
    let error = fails(&format!("http://127.0.0.1:1/,credentials={file}"));
    assert!(error.contains("must contain one line with USER:PASSWORD"), "{error}");
    let error = fails("http://user:geheim@127.0.0.1:1/");
    assert!(error.contains(",credentials=FILE instead") && !error.contains("geheim"), "{error}");
    let error = fails("emulated,insecure");
    assert!(error.contains("an emulated camera has no option insecure"), "{error}");
}
