//! Limits on requests and their heads, and release of resources when clients leave.

use std::io::{Read, Write};
use std::thread;
use std::time::Instant;

use hotshoe_test_support::client::{Viewer, connect, get, raw_request, reset};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, guests, wait_until};
use rustix::process::Signal;

#[test]
fn streams_beyond_the_limit_get_503_until_another_ends() {
    let server = Server::start(&["--camera", "emulated,fps=20", "--max-requests", "2"]);
    let first = Viewer::watch(server.address, "/video_feed");
    let second = Viewer::watch(server.address, "/video_feed");
    let rejected = get(server.address, "/video_feed");
    assert_eq!((rejected.status, rejected.header("retry-after")), (503, Some("1")));
    assert_eq!(rejected.text(), "503 server at capacity (--max-requests)\n");
    server.wait_for_log("GET /video_feed: 503, server at capacity (--max-requests)");
    drop(first);
    wait_until("the server admits a stream", || Viewer::watch(server.address, "/video_feed").status == 200);
    drop(second);
}

#[test]
fn slow_request_heads_time_out_and_block_no_other_client() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let mut slow: Vec<_> = (0..20).map(|_| connect(server.address)).collect();
    for stream in &mut slow {
        stream.write_all(b"GET / HT").unwrap();
    }
    assert_eq!(get(server.address, "/").status, 200);
    // The server closes the connection, possibly after a 408, before the read times out.
    let mut rest = Vec::new();
    slow[0].read_to_end(&mut rest).unwrap();
}

#[test]
fn long_request_heads_are_rejected() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000));
    let (reply, _) = raw_request(server.address, long.as_bytes(), false);
    assert_eq!(reply.status, 431);
    let (reply, _) =
        raw_request(server.address, format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000)).as_bytes(), false);
    assert!([414, 431].contains(&reply.status), "{}", reply.status);
    assert_eq!(get(server.address, "/").status, 200);
}

/// Lets two thousand viewers come and go. Afterwards, the server must have no more files open and occupy hardly more
/// memory. `watch` starts a viewer.
#[track_caller]
pub fn viewers_leave_nothing_behind<S: Read + Write>(server: &Server, watch: impl Fn() -> Viewer<S> + Sync) {
    const WARM_UP: usize = 300;
    const CYCLES: usize = 2000;
    /// They wait for frames most of the time.
    const AT_A_TIME: usize = 16;
    let cycle = |number: usize| {
        let mut viewer = watch();
        viewer.part();
        if number.is_multiple_of(3) {
            // Leaves in the middle of a part.
            viewer.begin_part();
        }
    };
    let run = |cycles: usize| {
        thread::scope(|scope| {
            for first in 0..AT_A_TIME {
                scope.spawn(move || (first..cycles).step_by(AT_A_TIME).for_each(cycle));
            }
        });
    };
    // Opens what stays open.
    cycle(0);
    let mut files = server.open_files();
    wait_until("the connection is closed", || {
        let before = std::mem::replace(&mut files, server.open_files());
        before == files
    });
    run(WARM_UP);
    wait_until("all connections are closed", || server.open_files() <= files + 1);
    let memory = server.memory_kib();
    run(CYCLES);
    wait_until("all connections are closed", || server.open_files() <= files + 1);
    let growth = server.memory_kib().saturating_sub(memory);
    // A leak of 2 kB per viewer would be 4,000 KiB.
    assert!(growth < 4000, "{growth} KiB more after {CYCLES} viewers");
}

#[test]
fn two_thousand_viewers_leave_no_memory_or_descriptors_behind() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    viewers_leave_nothing_behind(&server, || Viewer::watch(server.address, "/video_feed"));
}

#[test]
fn a_client_that_leaves_before_the_response_frees_its_request() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::NEVER_ANSWERS);
    let guest = guest.to_str().unwrap();
    let server =
        Server::start(&["--camera", "emulated", "--guest", guest, "--max-requests", "4", "--answer-timeout", "3600"]);
    for _ in 0..4 {
        let mut streams = Vec::new();
        wait_until("the server is at capacity", || {
            let mut stream = connect(server.address);
            write!(stream, "GET /bad HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            streams.push(stream);
            get(server.address, "/ok").status == 503
        });
        streams.into_iter().for_each(reset);
        wait_until("the server admits a request", || get(server.address, "/ok").status == 200);
    }
}

#[test]
fn a_client_that_leaves_during_the_response_ends_its_guest_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::WAITS_IN_MID_STREAM);
    let guest = guest.to_str().unwrap();
    // The guest writes nothing for an hour, so the server cannot notice by a failed write.
    let server = Server::start(&["--camera", "emulated", "--guest", guest, "--max-requests", "1"]);
    for _ in 0..3 {
        wait_until("the server admits a request", || get(server.address, "/ok").status == 200);
        let mut viewer = watch_when_admitted(&server);
        assert_eq!(viewer.chunk(), b"begun\n");
        assert_eq!(get(server.address, "/ok").status, 503, "the server is at capacity");
        viewer.reset();
    }
    wait_until("the server admits a request", || get(server.address, "/ok").status == 200);
}

/// Requests /bad until the server admits it, since the request before may still count for a moment.
fn watch_when_admitted(server: &Server) -> Viewer {
    let mut viewer = None;
    wait_until("the server admits the stream", || {
        viewer = Some(Viewer::watch(server.address, "/bad"));
        viewer.as_ref().is_some_and(|viewer| viewer.status == 200)
    });
    viewer.unwrap()
}

#[test]
fn sigint_and_sigterm_shut_down_cleanly_with_viewers() {
    for (signal, name) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM")] {
        let mut server = Server::start(&["--camera", "emulated,fps=20"]);
        let mut viewers: Vec<_> = (0..5).map(|_| Viewer::watch(server.address, "/video_feed")).collect();
        for viewer in &mut viewers {
            viewer.part();
        }
        let idle = connect(server.address);
        server.signal(signal);
        let signalled = Instant::now();
        let status = server.wait();
        assert!(status.success(), "{status}\n{}", server.log());
        assert!(signalled.elapsed() < DEADLINE / 3);
        assert!(server.log().contains(&format!("received {name}, shutting down")), "{}", server.log());
        server.wait_for_log("stopped");
        drop(idle);
    }
}
