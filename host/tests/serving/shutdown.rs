//! Shutting down: every response ends properly, and soon.

use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, connect, get};
use hotshoe_test_support::server::{Server, command};
use hotshoe_test_support::{guests, pictures, wait_until};
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

/// Large enough that SIGTERM often interrupts a part.
const FRAME_BYTES: usize = 60_000;

/// Enough for a thread that reads a stream.
const STACK_BYTES: usize = 256 << 10;

#[test]
fn sigterm_ends_five_hundred_streams_with_the_closing_delimiter() {
    const VIEWERS: usize = 500;
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), 16, FRAME_BYTES);
    let camera = format!("emulated:{},fps=10", folder.path().display());
    let mut server = Server::start(&["--camera", &camera]);
    let viewers: Vec<_> = (0..VIEWERS)
        .map(|_| {
            let mut viewer = Viewer::watch(server.address, "/video_feed");
            thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn(move || {
                    viewer.part();
                    // Panics if the stream ends inside a part, or without the closing delimiter or the last chunk.
                    while viewer.next_part().is_some() {}
                })
                .unwrap()
        })
        .collect();
    server.signal(Signal::TERM);
    let signalled = Instant::now();
    assert!(server.wait().success(), "{}", server.log());
    let took = signalled.elapsed();
    let cut = viewers.into_iter().map(thread::JoinHandle::join).filter(Result::is_err).count();
    assert_eq!(cut, 0, "streams that were cut off; the shutdown took {took:?}");
}

#[test]
fn sigterm_ends_streams_of_every_kind_properly() {
    let mut server = Server::start(&["--camera", "emulated,fps=20"]);
    let mut advance = Viewer::watch(server.address, "/video_feed?advance_headers=1");
    let mut events = Viewer::watch(server.address, "/events");
    advance.chunk();
    events.chunk();
    server.signal(Signal::TERM);
    let mut last = Vec::new();
    while let Some(chunk) = advance.next_chunk() {
        last = chunk;
    }
    assert_eq!(String::from_utf8(last).unwrap(), "\r\n--frame--\r\n");
    while let Some(event) = events.next_chunk() {
        assert!(event.ends_with(b"\n\n"));
    }
    assert!(server.wait().success());
}

#[test]
fn sigterm_ends_streams_that_the_guest_writes_with_the_closing_delimiter() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::STREAMS);
    let mut server = Server::start(&["--camera", "emulated,fps=20", "--guest", guest.to_str().unwrap()]);
    let mut viewers: Vec<_> = (0..20).map(|_| Viewer::watch(server.address, "/bad")).collect();
    viewers.iter_mut().for_each(|viewer| drop(viewer.part()));
    server.signal(Signal::TERM);
    for viewer in &mut viewers {
        while viewer.next_part().is_some() {}
    }
    assert!(server.wait().success());
}

/// Each publisher was replaced by another of the same guest, over and over, until all viewers had left.
#[test]
fn publishers_are_not_started_again_during_the_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), 16, 1_000_000);
    let mut command = command();
    command.arg("--camera").arg(format!("emulated:{},fps=20", folder.path().display()));
    command.env("RUST_LOG", "hotshoe=debug");
    let mut server = Server::start_command(command);
    let mut stalled = Viewer::watch(server.address, "/video_feed");
    stalled.begin_part();
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    assert!(!server.log().contains("starting the new guest's publisher"), "{}", server.log());
}

#[test]
fn clients_that_do_not_read_do_not_delay_the_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), 16, 1_000_000);
    let camera = format!("emulated:{},fps=20", folder.path().display());
    let mut server = Server::start(&["--camera", &camera]);
    let mut stalled = Viewer::watch(server.address, "/video_feed");
    stalled.begin_part();
    let mut idle = connect(server.address);
    assert_eq!(get(server.address, "/").status, 200);
    server.signal(Signal::TERM);
    let signalled = Instant::now();
    assert!(server.wait().success());
    // Half a second, plus a margin for a busy machine.
    assert!(signalled.elapsed() < Duration::from_secs(5));
    assert_eq!(idle.read(&mut [0; 1]).unwrap_or_default(), 0);
}

/// The server closed the connection without reading what the client had sent. So the kernel reset it, and the client lost
/// the end of the stream.
#[test]
fn viewers_that_send_something_during_the_stream_get_its_end() {
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), 16, FRAME_BYTES);
    let camera = format!("emulated:{},fps=30", folder.path().display());
    for sent in ["\r\n", "GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut server = Server::start(&["--camera", &camera]);
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // So that much of the stream is still in the buffer of the server.
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&server.address.into()).unwrap();
        let mut client = TcpStream::from(socket);
        client.write_all(b"GET /video_feed HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let captured = || get(server.address, "/log.csv").text().lines().count();
        wait_until("frames are captured", || captured() > 5);
        client.write_all(sent.as_bytes()).unwrap();
        // The viewer is behind by now.
        wait_until("more frames are captured", || captured() > 30);
        server.signal(Signal::TERM);
        let mut stream = Vec::new();
        client.read_to_end(&mut stream).unwrap();
        assert!(stream.ends_with(b"--frame--\r\n\r\n0\r\n\r\n"), "{}", stream[stream.len() - 40..].escape_ascii());
        assert!(server.wait().success(), "{}", server.log());
    }
}
