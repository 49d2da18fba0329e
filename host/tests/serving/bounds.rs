//! Bounds: how much at once, for how long, and nothing left behind.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, connect, get, raw_request, reset};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, guests, wait_until};
use rustix::process::Signal;

#[test]
fn streams_beyond_the_limit_get_503_until_there_is_room() {
    let server = Server::start(&["--camera", "emulated,fps=20", "--max-requests", "2"]);
    let first = Viewer::watch(server.address, "/video_feed");
    let second = Viewer::watch(server.address, "/video_feed");
    let refused = get(server.address, "/video_feed");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.text(), "503 server at capacity (--max-requests)\n");
    server.wait_for_log("GET /video_feed: 503, server at capacity (--max-requests)");
    drop(first);
    wait_until("there is room", || Viewer::watch(server.address, "/video_feed").status == 200);
    drop(second);
}

#[test]
fn a_client_that_drips_its_head_does_not_hold_others_up_and_loses_its_connection() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let mut dripping: Vec<_> = (0..20).map(|_| connect(server.address)).collect();
    for stream in &mut dripping {
        stream.write_all(b"GET / HT").unwrap();
    }
    assert_eq!(get(server.address, "/").status, 200);
    // Closed by the server (or answered with 408); reading ends before its own deadline.
    let mut rest = Vec::new();
    dripping[0].read_to_end(&mut rest).unwrap();
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000));
    let (reply, _) = raw_request(server.address, long.as_bytes(), false);
    assert_eq!(reply.status, 431);
    let (reply, _) =
        raw_request(server.address, format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000)).as_bytes(), false);
    assert!([414, 431].contains(&reply.status), "{}", reply.status);
    assert_eq!(get(server.address, "/").status, 200);
}

#[test]
fn memory_and_files_stay_flat_over_2000_viewers_who_come_and_go() {
    const WARM_UP: usize = 300;
    const CYCLES: usize = 2000;
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let cycle = |number: usize| {
        let mut viewer = Viewer::watch(server.address, "/video_feed");
        viewer.part();
        if number.is_multiple_of(3) {
            // Some leave in the middle of a part.
            viewer.begin_part();
        }
    };
    (0..WARM_UP).for_each(cycle);
    let settled = |server: &Server| {
        // The connection of the one who left last is closed a moment later.
        let files = server.open_files();
        thread::sleep(Duration::from_millis(200));
        (server.open_files() <= files).then(|| (server.open_files(), server.memory_kib()))
    };
    let (files, memory) = settled(&server).unwrap();
    (0..CYCLES).for_each(cycle);
    wait_until("all files are closed again", || server.open_files() <= files + 1);
    let grown = server.memory_kib().saturating_sub(memory);
    // Two kilobytes for each would be 4,000.
    assert!(grown < 4000, "{grown} KiB more after {CYCLES} viewers");
}

#[test]
fn a_client_that_leaves_while_the_guest_thinks_frees_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::NEVER_ANSWERS);
    let guest = guest.to_str().unwrap();
    let server =
        Server::start(&["--camera", "emulated", "--guest", guest, "--max-requests", "4", "--answer-timeout", "3600"]);
    for _ in 0..4 {
        let mut streams = Vec::new();
        wait_until("all places are taken", || {
            let mut stream = connect(server.address);
            write!(stream, "GET /bad HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            streams.push(stream);
            get(server.address, "/ok").status == 503
        });
        streams.into_iter().for_each(reset);
        wait_until("there is room again", || get(server.address, "/ok").status == 200);
    }
}

#[test]
fn a_client_that_leaves_in_mid_answer_ends_its_guest_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::WAITS_IN_MID_STREAM);
    let guest = guest.to_str().unwrap();
    // The guest writes nothing for an hour, so it can't be a failing write that tells.
    let server = Server::start(&["--camera", "emulated", "--guest", guest, "--max-requests", "1"]);
    for _ in 0..3 {
        wait_until("there is room", || get(server.address, "/ok").status == 200);
        let mut viewer = wait_for_place(&server);
        assert_eq!(viewer.chunk(), b"begun\n");
        assert_eq!(get(server.address, "/ok").status, 503, "the one place is taken");
        viewer.reset();
    }
    wait_until("there is room", || get(server.address, "/ok").status == 200);
}

/// Ask for /bad until there is room for it: the request before may have its place for a moment still.
fn wait_for_place(server: &Server) -> Viewer {
    let mut viewer = None;
    wait_until("there is room", || {
        viewer = Some(Viewer::watch(server.address, "/bad"));
        viewer.as_ref().is_some_and(|viewer| viewer.status == 200)
    });
    viewer.unwrap()
}

#[test]
fn ctrl_c_and_sigterm_end_it_cleanly_under_viewers() {
    for (signal, name) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM")] {
        let mut server = Server::start(&["--camera", "emulated,fps=20"]);
        let mut viewers: Vec<_> = (0..5).map(|_| Viewer::watch(server.address, "/video_feed")).collect();
        for viewer in &mut viewers {
            viewer.part();
        }
        let idle = connect(server.address);
        server.signal(signal);
        let told = Instant::now();
        let status = server.wait();
        assert!(status.success(), "{status}\n{}", server.log());
        assert!(told.elapsed() < DEADLINE / 3);
        assert!(server.log().contains(&format!("received {name}, shutting down")), "{}", server.log());
        server.wait_for_log("stopped");
        drop(idle);
    }
}
