//! Clients that attack a server with TLS, as `limits.rs`, `connections.rs` and `slow_readers.rs` do without.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{connect, reset};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::tls::{TlsStream, command_with_tls, connect_tls, start, tls_over};
use hotshoe_test_support::{guests, pictures, wait_until, wait_until_within};

use super::{CAMERA, get, watch};
use crate::limits::viewers_leave_nothing_behind;

/// The time within which a client must be dropped that reads nothing, see `slow_readers.rs`.
const DROPPED_WITHIN: Duration = Duration::from_secs(150);

/// Reads until the server closes a connection, and returns what it has sent.
fn read_to_end(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // The end may be a reset.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

#[test]
fn clients_that_never_finish_their_handshake_are_closed_and_block_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &CAMERA);
    let silent: Vec<_> = (0..20).map(|_| connect(server.address)).collect();
    // The first bytes of a record, and nothing more.
    let halves: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = connect(server.address);
            stream.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
            stream
        })
        .collect();
    assert_eq!(get(&server, "/state").status, 200);
    let begun = Instant::now();
    for stream in silent.into_iter().chain(halves) {
        assert!(read_to_end(stream).is_empty());
    }
    assert!(begun.elapsed() > Duration::from_secs(5), "they had time");
}

#[test]
fn bytes_that_are_not_tls_end_the_connection_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &CAMERA);
    let garbage: [&[u8]; 4] = [&[22, 3, 1, 0, 4, 1, 2, 3, 4], &[0xff; 3000], &[22, 3, 3, 0xff, 0xff, 0], &[0; 100]];
    for bytes in garbage {
        let mut stream = connect(server.address);
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(!read_to_end(stream).starts_with(b"HTTP"), "{bytes:?}");
    }
    // Garbage in place of an encrypted record, in the middle of a connection and of a stream.
    for path in ["/state", "/video_feed"] {
        let mut stream = connect_tls(server.address);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream.read_exact(&mut [0; 100]).unwrap();
        stream.sock.write_all(&[23, 3, 3, 0, 32]).unwrap();
        stream.sock.write_all(&[7; 32]).unwrap();
        reset(stream.sock);
    }
    assert_eq!(get(&server, "/state").status, 200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn at_the_limit_further_clients_get_an_alert_before_the_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--trusted-proxy", "none", "--max-connections-per-address", "3"];
    let server = start(folder.path(), &[&CAMERA[..], &args].concat());
    let mut viewers: Vec<_> = (0..3).map(|_| watch(&server, "/video_feed")).collect();
    viewers.iter_mut().for_each(|viewer| drop(viewer.part()));
    let mut fourth = connect_tls(server.address);
    let error = fourth.conn.complete_io(&mut fourth.sock).unwrap_err();
    assert!(error.to_string().contains("InternalError"), "{error}");
    server.wait_for_log("503, too many connections from this address");
    viewers.pop();
    wait_until("the server admits a connection", || {
        let mut stream = connect_tls(server.address);
        stream.conn.complete_io(&mut stream.sock).is_ok()
    });
}

#[test]
fn slow_request_heads_time_out_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &CAMERA);
    let mut slow: Vec<_> = (0..20).map(|_| connect_tls(server.address)).collect();
    for stream in &mut slow {
        stream.write_all(b"GET / HT").unwrap();
    }
    assert_eq!(get(&server, "/").status, 200);
    // The server closes the connection, without ending the session properly, before the read times out.
    let error = slow[0].read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn a_client_that_half_closes_its_session_gets_its_response() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &CAMERA);
    let mut stream = connect_tls(server.address);
    write!(stream, "GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream.conn.send_close_notify();
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut stream.sock).unwrap();
    }
    stream.sock.shutdown(Shutdown::Write).unwrap();
    // Fails if the session does not end properly.
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    assert!(reply.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn a_client_that_leaves_during_the_response_ends_its_guest_at_once_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::WAITS_IN_MID_STREAM);
    let guest = ["--guest", guest.to_str().unwrap(), "--max-requests", "1"];
    let server = start(folder.path(), &[&CAMERA[..], &guest].concat());
    for _ in 0..3 {
        let mut viewer = None;
        wait_until("the server admits the stream", || {
            viewer = Some(watch(&server, "/bad"));
            viewer.as_ref().is_some_and(|viewer| viewer.status == 200)
        });
        let mut viewer = viewer.unwrap();
        assert_eq!(viewer.chunk(), b"begun\n");
        assert_eq!(get(&server, "/ok").status, 503, "the server is at capacity");
        reset(viewer.into_inner().sock);
    }
}

/// Starts a server with images far larger than all buffers.
fn start_with_large_images(folder: &Path) -> Server {
    let images = folder.join("images");
    fs::create_dir(&images).unwrap();
    pictures::fill(&images, 16, 300_000);
    let camera = format!("emulated:{},fps=20", images.display());
    let mut command = command_with_tls(folder, &["--camera", &camera, "--listen", "tls:127.0.0.1:0"]);
    // At this level, the server logs each client that it drops.
    command.env("RUST_LOG", "hotshoe=debug");
    Server::start_command(command)
}

/// Begins a stream or a download on a connection whose kernel buffers little, and reads nothing of the body.
fn begin(server: &Server, path: &str) -> TlsStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&server.address.into()).unwrap();
    let mut stream = tls_over(socket.into());
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 16]).unwrap();
    stream
}

#[test]
fn a_slow_viewer_over_tls_skips_parts_and_costs_bounded_memory() {
    const SLOW: usize = 50;
    let folder = tempfile::tempdir().unwrap();
    let server = start_with_large_images(folder.path());
    let mut fast = watch(&server, "/video_feed");
    (0..20).for_each(|_| drop(fast.part()));
    let before = server.memory_kib();
    let slow: Vec<_> = (0..SLOW).map(|_| begin(&server, "/video_feed")).collect();
    // The fast viewer misses no part because of the others, and the slow ones hold the same parts.
    let first = fast.part().sequence();
    let mut last = first;
    (0..100).for_each(|_| last = fast.part().sequence());
    assert!(last >= first + 100);
    let growth = server.memory_kib().saturating_sub(before);
    // Each has a session and up to 64 KiB of encrypted bytes. The parts that passed meanwhile have 30 MB.
    assert!(growth < (SLOW as u64) * 300, "{growth} KiB for {SLOW} slow viewers");
    // Then one of them reads again: the rest of its part, and then the newest.
    let [mut stream, ..] = <[_; SLOW]>::try_from(slow).ok().unwrap();
    let mut bytes = vec![0; 3_000_000];
    stream.read_exact(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let sequences: Vec<u64> =
        text.split("X-Sequence: ").skip(1).filter_map(|rest| rest.split_once("\r\n")?.0.parse().ok()).collect();
    assert!(sequences.iter().any(|sequence| *sequence >= last), "{sequences:?} end before {last}");
    assert!(sequences.windows(2).any(|pair| pair[1] > pair[0] + 50), "{sequences:?} skip no parts");
}

#[test]
fn clients_over_tls_that_read_nothing_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_with_large_images(folder.path());
    let stopped = ["/video_feed", "/snapshot"].map(|path| begin(&server, path));
    wait_until_within("both are dropped", DROPPED_WITHIN, || {
        server.log().matches("dropped: the client has read nothing for 10 s").count() == 2
    });
    for stream in stopped {
        let mut rest = Vec::new();
        let mut socket = stream.sock;
        assert!(socket.read_to_end(&mut rest).is_err(), "it was reset");
    }
}

#[test]
fn two_thousand_viewers_over_tls_leave_no_memory_or_descriptors_behind() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &CAMERA);
    viewers_leave_nothing_behind(&server, || watch(&server, "/video_feed"));
}
