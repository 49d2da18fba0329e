//! Clients that read slowly, and clients that do not read.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::pictures;
use hotshoe_test_support::server::{Server, command};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

/// What a slow client reads, in bytes per second.
const RATE: usize = 2000;

/// How long a slow client must survive. At this rate Linux acknowledges nothing for up to 65 s, until a whole receive
/// buffer has been read.
const SPAN: Duration = Duration::from_secs(100);

/// By when a client that has stopped reading must be gone: ten seconds, 70 for what it was sent before, and what a busy
/// machine adds.
const GONE: Duration = Duration::from_secs(150);

/// A server with pictures that are far more than all buffers hold, and their folder: they are gone with it.
fn server() -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), 16, 300_000);
    let camera = format!("emulated:{},fps=20", folder.path().display());
    let mut command = command();
    // The server says so of each client that it gives up.
    command.args(["--camera", &camera]).env("RUST_LOG", "hotshoe=debug");
    (Server::start_command(command), folder)
}

/// A client that has asked for this path, with a receive buffer of this size, or of the system's usual one.
fn ask(address: SocketAddr, path: &str, buffer: Option<usize>) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // Before it connects, or the window has been announced already.
    buffer.into_iter().for_each(|size| socket.set_recv_buffer_size(size).unwrap());
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(GONE)).unwrap();
    stream
}

/// Read at the slow rate for so long. Fails if the connection ends.
fn read_slowly(mut stream: TcpStream, span: Duration) {
    let until = Instant::now() + span;
    let mut bytes = [0; RATE / 10];
    while Instant::now() < until {
        stream.read_exact(&mut bytes).unwrap();
        thread::sleep(Duration::from_millis(100));
    }
}

/// Wait until the server has given up its one client, and see that the client's connection has ended.
#[track_caller]
fn assert_given_up(mut stream: TcpStream, server: &Server) {
    let until = Instant::now() + GONE;
    while !server.log().contains("dropped: the client has read nothing for 10 s") {
        assert!(Instant::now() < until, "it is not given up");
        thread::sleep(Duration::from_millis(100));
    }
    // Reset, since there was more to send.
    let mut rest = Vec::new();
    assert!(stream.read_to_end(&mut rest).is_err());
}

#[test]
fn a_client_that_reads_two_kilobytes_a_second_is_not_dropped() {
    let (server, _folder) = server();
    thread::scope(|scope| {
        for path in ["/video_feed", "/snapshot"] {
            for buffer in [Some(4096), Some(65_536), None] {
                let stream = ask(server.address, path, buffer);
                // A picture takes longer than the span to read.
                scope.spawn(move || read_slowly(stream, SPAN));
            }
        }
    });
    // What is in a client's buffer can be read for a while after its connection was reset.
    assert!(!server.log().contains("dropped: "));
}

#[test]
fn a_viewer_that_has_stopped_reading_is_dropped() {
    let (server, _folder) = server();
    let stopped = ask(server.address, "/video_feed", Some(4096));
    assert_given_up(stopped, &server);
}

#[test]
fn a_viewer_that_reads_at_full_speed_and_stops_is_dropped() {
    let (server, _folder) = server();
    let mut stopped = ask(server.address, "/video_feed", None);
    stopped.read_exact(&mut vec![0; 5_000_000]).unwrap();
    assert_given_up(stopped, &server);
}

#[test]
fn a_download_that_nobody_reads_is_dropped() {
    let (server, _folder) = server();
    let stopped = ask(server.address, "/snapshot", Some(4096));
    assert_given_up(stopped, &server);
}
