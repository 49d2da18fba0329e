//! Traffic on idle streams. Every viewer is sent something at least every ten seconds, so that the server notices
//! viewers that have vanished (see the machine test `viewers_whose_link_goes_down_are_dropped`).

use std::io::{BufReader, Read, Write};
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, connect, read_head};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;

/// The longest pause of a stream, with a margin for busy machines.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Starts a server whose guest publishes one part, and nothing more for an hour.
fn server_publishing_once() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let guest = folder.path().join("guest.wasm");
    let once = guests::PUBLISHES.replace("(i64.const 20)", "(i64.const 3600000)");
    std::fs::write(&guest, guests::publishing("c", &once, "part")).unwrap();
    Server::start(&["--camera", "emulated", "--guest", guest.to_str().unwrap()])
}

#[test]
fn viewers_are_sent_a_part_every_ten_seconds_even_with_a_lower_rate_limit() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed?fps=0.00001");
    viewer.part();
    let first = Instant::now();
    viewer.part();
    let pause = first.elapsed();
    assert!(pause > Duration::from_secs(5) && pause < LONGEST_PAUSE, "{pause:?}");
}

#[test]
fn the_newest_part_is_sent_again_every_ten_seconds_if_the_channel_is_silent() {
    let server = server_publishing_once();
    let mut viewer = Viewer::watch(server.address, "/bad");
    assert_eq!(viewer.chunk(), b"opening\npart");
    let first = Instant::now();
    assert_eq!(viewer.chunk(), b"part");
    let pause = first.elapsed();
    assert!(pause > Duration::from_secs(5) && pause < LONGEST_PAUSE, "{pause:?}");
}

#[test]
fn the_newest_part_is_sent_again_to_http_1_0_clients_too() {
    let server = server_publishing_once();
    let mut stream = connect(server.address);
    write!(stream, "GET /bad HTTP/1.0\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    assert_eq!(read_head(&mut reader).0, 200);
    let mut body = [0; 16];
    reader.read_exact(&mut body).unwrap();
    assert_eq!(&body, b"opening\npartpart");
}
