//! What viewers see when a camera in the network is absent, dies, falls silent, or sends anything but pictures.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::http_server::{Exchange, HttpServer};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{built_in_pictures, wait_until};

/// Sends the built-in pictures in a loop until the client leaves.
fn stream(mut exchange: Exchange) -> io::Result<()> {
    exchange.begin_stream()?;
    for image in built_in_pictures().iter().cycle() {
        exchange.part("", image)?;
        exchange.pause();
    }
    Ok(())
}

/// Starts a server whose camera `front` is this one.
fn start(url: &str) -> Server {
    Server::start(&["--camera", &format!("front={url}")])
}

/// Waits until the camera is lost for this reason.
#[track_caller]
fn wait_for_reason(server: &Server, camera: &str, reason: &str) {
    let mut last = String::new();
    let deadline = Instant::now() + hotshoe_test_support::DEADLINE;
    while !last.contains(reason) {
        assert!(Instant::now() < deadline, "{camera}: expected {reason:?}, found {last:?}");
        let body = get(server.address, &format!("/snapshot/{camera}")).body;
        last = String::from_utf8_lossy(&body).into_owned();
    }
}

/// Reads parts until one is a built-in picture.
fn wait_for_picture(viewer: &mut Viewer) {
    while !built_in_pictures().contains(&viewer.part().jpeg) {}
}

/// Reads parts until one is a placeholder.
fn wait_for_placeholder(viewer: &mut Viewer) {
    while built_in_pictures().contains(&viewer.part().jpeg) {}
}

#[test]
fn the_reason_for_an_unusable_server_names_what_to_do() {
    let origin = HttpServer::start(|mut exchange| match exchange.path.as_str() {
        "/page" => exchange.respond("200 OK", "Content-Type: text/html; charset=utf-8\r\n", b"<html>"),
        "/video" => exchange.respond("200 OK", "Content-Type: video/mp4\r\n", b"xxxx"),
        "/busy" => exchange.respond("503 Service Unavailable", "", b""),
        "/private" => exchange.respond("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", b""),
        "/loop" => exchange.respond("302 Found", "Location: /loop\r\n", b""),
        "/file" => exchange.respond("302 Found", "Location: file:///etc/passwd\r\n", b""),
        "/text" => exchange.respond("200 OK", "Content-Type: image/jpeg\r\n", b"this is no image"),
        "/not-http" => exchange.send("SSH-2.0-OpenSSH_9.2\r\n").and(Err(io::ErrorKind::Other.into())),
        "/end" => exchange.begin_stream().and(Err(io::ErrorKind::Other.into())),
        _ => exchange.respond("404 Not Found", "", b""),
    });
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cases = [
        (
            "page",
            origin.url("/page"),
            "the server sends text/html instead of a JPEG image or a multipart stream; this is a page",
        ),
        ("video", origin.url("/video"), "the server sends video/mp4 instead of"),
        ("busy", origin.url("/busy"), "503 Service Unavailable; it may be busy with other viewers"),
        ("private", origin.url("/private"), "requires a user name and a password"),
        ("loop", origin.url("/loop"), "redirects more than 5 times"),
        ("file", origin.url("/file"), "redirects to an invalid address"),
        (
            "missing",
            origin.url("/missing?token=geheim"),
            "/missing: the server responds with 404 Not Found; check the path",
        ),
        ("text", origin.url("/text"), "only 1 damaged"),
        ("not-http", origin.url("/not-http"), "/not-http: "),
        ("end", origin.url("/end"), "the server ended the stream"),
        ("refused", format!("http://{refused}/"), "connection refused; check that the server runs"),
        ("unknown", "http://no-such-host.invalid/".to_owned(), "the name cannot be resolved"),
        ("tls", origin.url("/").replace("http:", "https:"), "https://"),
    ];
    let mut args = vec!["--camera".to_owned(), format!("good={}", HttpServer::start(stream).url("/"))];
    for (name, url, _) in &cases {
        args.extend(["--camera".to_owned(), format!("{name}={url}")]);
    }
    let server = Server::start(&args);
    for (name, _, reason) in &cases {
        wait_for_reason(&server, name, reason);
    }
    assert_eq!(get(server.address, "/snapshot/good").status, 200, "the other camera is not affected");
    assert!(!server.log().contains("geheim"), "{}", server.log());
}

#[test]
fn a_server_that_is_absent_at_startup_is_shown_when_it_comes() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = start(&format!("http://{address}/"));
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    wait_for_placeholder(&mut viewer);
    server.wait_for_log("connection refused");
    let origin = HttpServer::start_at(address, stream);
    wait_for_picture(&mut viewer);
    assert_eq!(origin.requests("/").len(), 1);
}

#[test]
fn viewers_stay_connected_while_a_server_dies_and_returns() {
    let count = Arc::new(AtomicUsize::new(0));
    let streams = count.clone();
    // The first stream breaks off within a part.
    let origin = HttpServer::start(move |mut exchange| {
        if streams.fetch_add(1, Ordering::SeqCst) > 0 {
            return stream(exchange);
        }
        exchange.begin_stream()?;
        let image = &built_in_pictures()[0];
        exchange.part("", image)?;
        exchange.send("Content-Type: image/jpeg\r\nContent-Length: 50000\r\n\r\n")?;
        exchange.send(&image[..5000])?;
        exchange.pause();
        Err(io::ErrorKind::Other.into())
    });
    let server = start(&origin.url("/"));
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    wait_for_picture(&mut viewer);
    wait_for_placeholder(&mut viewer);
    wait_for_picture(&mut viewer);
    server.wait_for_log("the server ended the stream (retrying)");
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn silent_and_slow_servers_are_outages_within_seconds() {
    let origin = HttpServer::start(|mut exchange| match exchange.path.as_str() {
        // Accepts the connection, but does not respond.
        "/mute" => exchange.wait_for_close(),
        "/silent" => {
            exchange.begin_stream()?;
            exchange.part("", &built_in_pictures()[0])?;
            exchange.wait_for_close()
        }
        // A byte at a time: endless headers, and an image that never ends.
        path => {
            if path == "/slow" {
                exchange.begin_stream()?;
                exchange.send("Content-Type: image/jpeg\r\nContent-Length: 50000\r\n\r\n")?;
            } else {
                exchange.send("HTTP/1.1 200 OK\r\nX: ")?;
            }
            for byte in built_in_pictures()[0].iter().map(|byte| byte & 0x7F | 0x20) {
                exchange.send([byte])?;
                thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
    });
    let mut args = Vec::new();
    for path in ["mute", "silent", "slow", "endless-head"] {
        args.extend(["--camera".to_owned(), format!("{path}={}", origin.url(&format!("/{path}")))]);
    }
    let server = Server::start(&args);
    let mut viewers: Vec<_> = ["mute", "silent", "slow", "endless-head"]
        .map(|path| Viewer::watch(server.address, &format!("/video_feed/{path}")))
        .into();
    server.wait_for_log("camera silent: ");
    server.wait_for_log("/silent: no picture for 3 seconds; the server is silent");
    server.wait_for_log("/mute: no response within 5 seconds");
    server.wait_for_log("/endless-head: no response within 5 seconds");
    let slow = server.wait_for_log("/slow: no picture for 5 seconds; ");
    assert!(slow.contains("bytes of one arrived"), "{slow}");
    viewers.iter_mut().for_each(wait_for_placeholder);
}

#[test]
fn damaged_pictures_are_dropped_and_counted() {
    let origin = HttpServer::start(|mut exchange| {
        exchange.begin_stream()?;
        for (number, image) in built_in_pictures().iter().cycle().enumerate() {
            let mut image = image.clone();
            match number % 5 {
                1 => image.truncate(20_000),
                2 => image[15_000..16_000].fill(0x55),
                3 => image.clear(),
                // Garbage before the image.
                4 => drop(image.splice(..0, b"garbage".to_vec())),
                _ => {}
            }
            exchange.part("", &image)?;
            exchange.pause();
        }
        Ok(())
    });
    let server = Server::start(&["--camera", &format!("front={}", origin.url("/")), "--linger", "0"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    for _ in 0..20 {
        assert!(built_in_pictures().contains(&viewer.part().jpeg), "a damaged picture was shown");
    }
    drop(viewer);
    let line = server.wait_for_log("camera front: closed");
    for cause in ["empty", "malformed", "corrupt"] {
        assert!(line.contains(cause), "{line}");
    }
}

#[test]
fn endless_pictures_and_streams_without_parts_are_refused() {
    let origin = HttpServer::start(|mut exchange| {
        match exchange.path.as_str() {
            "/part" => {
                exchange.begin_stream()?;
                exchange.send("\r\n")?;
            }
            "/preamble" => exchange.send("HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n")?,
            _ => exchange.send("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n")?,
        }
        loop {
            exchange.send([b'x'; 100_000])?;
        }
    });
    let paths = ["part", "preamble", "still"];
    let mut args = Vec::new();
    for path in paths {
        args.extend(["--camera".to_owned(), format!("{path}={}", origin.url(&format!("/{path}")))]);
    }
    let server = Server::start(&args);
    wait_for_reason(&server, "part", "a part is longer than 32 MiB");
    wait_for_reason(&server, "preamble", "it has no part within 64 KiB");
    wait_for_reason(&server, "still", "the picture is longer than 32 MiB");
}

#[test]
fn a_server_that_allows_one_client_is_served_to_many() {
    let clients = Arc::new(AtomicUsize::new(0));
    let count = clients.clone();
    let origin = HttpServer::start(move |mut exchange| {
        if count.fetch_add(1, Ordering::SeqCst) > 0 {
            return exchange.respond("503 Service Unavailable", "", b"");
        }
        let result = stream(exchange);
        count.store(0, Ordering::SeqCst);
        result
    });
    let server = start(&origin.url("/"));
    let mut viewers: Vec<_> = (0..10).map(|_| Viewer::watch(server.address, "/video_feed")).collect();
    viewers.iter_mut().for_each(wait_for_picture);
    assert_eq!(get(server.address, "/snapshot").status, 200);
    wait_until("only one client is connected", || clients.load(Ordering::SeqCst) == 1);
}
