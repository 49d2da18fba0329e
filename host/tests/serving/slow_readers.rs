//! Clients that read slowly are served. Clients that stop reading are dropped.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::pictures;
use hotshoe_test_support::server::{Server, command};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

/// The rate of a slow client, in bytes per second.
const RATE: usize = 2000;

/// How long a slow client must survive. At this rate Linux acknowledges nothing for up to 65 s, until the client has
/// read a whole receive buffer.
const SPAN: Duration = Duration::from_secs(100);

/// The time within which a client that stops reading must be dropped: ten seconds, 70 for bytes that it had received
/// before, and a margin for busy machines.
const DROPPED_WITHIN: Duration = Duration::from_secs(150);

/// Starts a server with images far larger than all buffers. Also returns their folder, which must outlive the server.
fn server() -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), 16, 300_000);
    let camera = format!("emulated:{},fps=20", folder.path().display());
    let mut command = command();
    // At this level, the server logs each client that it drops.
    command.args(["--camera", &camera]).env("RUST_LOG", "hotshoe=debug");
    (Server::start_command(command), folder)
}

/// Requests a path as a client with a receive buffer of this size. `None` uses the system's default.
fn request(address: SocketAddr, path: &str, buffer: Option<usize>) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // Before connecting: the connection's setup announces the window.
    buffer.into_iter().for_each(|size| socket.set_recv_buffer_size(size).unwrap());
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(DROPPED_WITHIN)).unwrap();
    stream
}

/// Reads at the slow rate for this long. Panics if the connection ends.
fn read_slowly(mut stream: TcpStream, duration: Duration) {
    let end = Instant::now() + duration;
    let mut bytes = [0; RATE / 10];
    while Instant::now() < end {
        stream.read_exact(&mut bytes).unwrap();
        thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until the server has dropped its only client, and checks that the connection was reset.
#[track_caller]
fn assert_dropped(mut stream: TcpStream, server: &Server) {
    let deadline = Instant::now() + DROPPED_WITHIN;
    while !server.log().contains("dropped: the client has read nothing for 10 s") {
        assert!(Instant::now() < deadline, "the client is not dropped");
        thread::sleep(Duration::from_millis(100));
    }
    // Reset, because the server had unsent bytes.
    let mut rest = Vec::new();
    assert!(stream.read_to_end(&mut rest).is_err());
}

#[test]
fn clients_that_read_two_kilobytes_per_second_are_not_dropped() {
    let (server, _folder) = server();
    thread::scope(|scope| {
        for path in ["/video_feed", "/snapshot"] {
            for buffer in [Some(4096), Some(65_536), None] {
                let stream = request(server.address, path, buffer);
                // Reading one image takes longer than the whole test.
                scope.spawn(move || read_slowly(stream, SPAN));
            }
        }
    });
    // Check the log as well: a client can read its receive buffer for a while after the connection was reset.
    assert!(!server.log().contains("dropped: "));
}

#[test]
fn a_viewer_that_never_reads_is_dropped() {
    let (server, _folder) = server();
    let stopped = request(server.address, "/video_feed", Some(4096));
    assert_dropped(stopped, &server);
}

#[test]
fn a_viewer_that_stops_reading_after_fast_reads_is_dropped() {
    let (server, _folder) = server();
    let mut stopped = request(server.address, "/video_feed", None);
    stopped.read_exact(&mut vec![0; 5_000_000]).unwrap();
    assert_dropped(stopped, &server);
}

#[test]
fn a_client_that_does_not_read_its_download_is_dropped() {
    let (server, _folder) = server();
    let stopped = request(server.address, "/snapshot", Some(4096));
    assert_dropped(stopped, &server);
}
