//! Viewers that cause no traffic: each is sent something at least every ten seconds, so that one that has vanished is
//! noticed (the machine test `viewers_whose_link_goes_down_are_dropped`).

use std::io::{BufReader, Read, Write};
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, connect, read_head};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;

/// The longest pause of a stream, and what a busy machine adds.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// A server whose guest publishes one part and nothing more for an hour.
fn publishing_once() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let guest = folder.path().join("guest.wasm");
    let once = guests::PUBLISHES.replace("(i64.const 20)", "(i64.const 3600000)");
    std::fs::write(&guest, guests::publishing("c", &once, "part")).unwrap();
    Server::start(&["--camera", "emulated", "--guest", guest.to_str().unwrap()])
}

#[test]
fn a_part_comes_every_ten_seconds_whatever_rate_was_asked_for() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed?fps=0.00001");
    viewer.part();
    let first = Instant::now();
    viewer.part();
    let pause = first.elapsed();
    assert!(pause > Duration::from_secs(5) && pause < LONGEST_PAUSE, "{pause:?}");
}

#[test]
fn on_a_silent_channel_the_newest_part_comes_again_every_ten_seconds() {
    let server = publishing_once();
    let mut viewer = Viewer::watch(server.address, "/bad");
    assert_eq!(viewer.chunk(), b"opening\npart");
    let first = Instant::now();
    assert_eq!(viewer.chunk(), b"part");
    let pause = first.elapsed();
    assert!(pause > Duration::from_secs(5) && pause < LONGEST_PAUSE, "{pause:?}");
}

#[test]
fn so_it_does_for_a_client_of_http_1_0() {
    let server = publishing_once();
    let mut stream = connect(server.address);
    write!(stream, "GET /bad HTTP/1.0\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    assert_eq!(read_head(&mut reader).0, 200);
    let mut body = [0; 16];
    reader.read_exact(&mut body).unwrap();
    assert_eq!(&body, b"opening\npartpart");
}
