//! Channels: streams that are published once and shared by all viewers, also while publishers fail and guests are
//! replaced.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, connect, get, read_chunk, read_head};
use hotshoe_test_support::server::{Server, processor_time};
use hotshoe_test_support::{DEADLINE, guests, pictures, wait_until};

const CAMERA: [&str; 2] = ["--camera", "emulated,fps=20"];

/// Starts a server whose guest answers /bad with a channel. `publish` is the publisher's code.
fn publishing_server(publish: &str, part: &str, more: &[&str]) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let guest = folder.path().join("guest.wasm");
    std::fs::write(&guest, guests::publishing("c", publish, part)).unwrap();
    Server::start(&[&CAMERA[..], &["--guest", guest.to_str().unwrap()], more].concat())
}

/// Returns the number of publishers and of responses that the guest is writing.
fn in_flight(server: &Server) -> u64 {
    server.generations()["current"]["under_way"].as_u64().unwrap()
}

/// Reads parts until one equals `part`.
#[track_caller]
fn read_until(viewer: &mut Viewer, part: &str) {
    viewer.skip_to(|chunk| chunk == part.as_bytes());
}

#[test]
fn one_publisher_serves_all_viewers() {
    let server = Server::start(&CAMERA);
    let mut viewers: Vec<_> = (0..50).map(|_| Viewer::watch(server.address, "/video_feed")).collect();
    for viewer in &mut viewers {
        viewer.part();
    }
    assert_eq!(in_flight(&server), 1);
    // The channel outlives the viewer that opened it.
    viewers.remove(0);
    for viewer in &mut viewers {
        (0..5).for_each(|_| drop(viewer.part()));
    }
    assert_eq!(in_flight(&server), 1);
}

#[test]
fn a_publisher_ends_with_the_last_viewer_and_starts_again_with_the_next() {
    let server = Server::start(&[&CAMERA[..], &["--linger", "0.3"]].concat());
    for round in 1..4 {
        let mut viewer = Viewer::watch(server.address, "/video_feed");
        viewer.part();
        drop(viewer);
        wait_until("the publisher has ended", || in_flight(&server) == 0);
        server.wait_for_logs("camera emulated: closed, no viewers left", round);
    }
}

#[test]
fn new_viewers_are_sent_the_opening_and_the_newest_part_in_one_chunk() {
    // One part, and no more for an hour.
    let once = guests::PUBLISHES.replace("(i64.const 20)", "(i64.const 3600000)");
    let server = publishing_server(&once, "part", &[]);
    for _ in 0..5 {
        let mut viewer = Viewer::watch(server.address, "/bad");
        assert_eq!(viewer.chunk(), b"opening\npart");
    }
}

#[test]
fn viewers_see_the_next_guests_stream_without_reconnecting() {
    let server = publishing_server(guests::PUBLISHES, "first", &["--drain", "0.2"]);
    let mut viewers: Vec<_> = (0..20).map(|_| Viewer::watch(server.address, "/bad")).collect();
    for viewer in &mut viewers {
        assert_eq!(viewer.chunk(), b"opening\nfirst");
    }
    for part in ["second", "third"] {
        assert_eq!(server.put_guest(&guests::publishing("c", guests::PUBLISHES, part)).status, 200);
        for viewer in &mut viewers {
            read_until(viewer, part);
            // No part of the guest before follows.
            (0..5).for_each(|_| assert_eq!(viewer.chunk(), part.as_bytes()));
        }
    }
    server.wait_for_log("generation 2: ");
    wait_until("the old publishers have ended", || server.generations()["draining"] == serde_json::json!([]));
    for viewer in &mut viewers {
        (0..20).for_each(|_| assert_eq!(viewer.chunk(), b"third"));
    }
}

#[test]
fn pictures_stay_in_order_while_guests_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    const PICTURES: u32 = 200;
    pictures::fill(folder.path(), PICTURES, 0);
    let camera = format!("emulated:{},fps=20", folder.path().display());
    let server = Server::start(&["--camera", &camera, "--drain", "0.1"]);
    let built_in = guests::built_in();
    let swaps = 5;
    thread::scope(|scope| {
        let swapping = scope.spawn(|| {
            (0..swaps).for_each(|number| drop(server.put_guest(&guests::variant(&built_in, number))));
        });
        let mut viewer = Viewer::watch(server.address, "/video_feed");
        let mut last = pictures::number(&viewer.part().jpeg);
        let mut steps = Vec::new();
        while !swapping.is_finished() {
            let next = pictures::number(&viewer.part().jpeg);
            steps.push((next + PICTURES - last) % PICTURES);
            last = next;
        }
        // A new publisher starts with the newest picture, which the old one may have sent already. It may come twice,
        // but never an older one. On a busy machine, some are skipped.
        assert!(steps.iter().all(|step| *step < PICTURES / 2), "{steps:?}");
        assert!(steps.iter().filter(|step| **step == 0).count() <= swaps as usize, "{steps:?}");
        assert!(steps.iter().filter(|step| **step <= 3).count() * 10 >= steps.len() * 9, "{steps:?}");
    });
    assert_eq!(server.generation(), u64::from(swaps) + 1);
}

#[test]
fn a_publisher_that_traps_is_restarted_and_its_viewers_stay() {
    let server = publishing_server(guests::PUBLISHES_AND_TRAPS, "part", &[]);
    let mut viewer = Viewer::watch(server.address, "/bad");
    assert_eq!(viewer.chunk(), b"opening\npart");
    for round in 1..4 {
        let line =
            server.wait_for_logs("channel c: its publisher failed and will be restarted: the guest trapped", round);
        assert!(line.contains("WARN"), "{line}");
        assert_eq!(viewer.chunk(), b"part");
    }
}

#[test]
fn a_publisher_that_spins_is_ended_and_delays_no_other_requests() {
    let server = publishing_server(guests::PUBLISHES_AND_SPINS, "part", &[]);
    let mut viewer = Viewer::watch(server.address, "/bad");
    assert_eq!(viewer.chunk(), b"opening\npart");
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
    server.wait_for_log(
        "its publisher failed and will be restarted: the guest computed for 2 seconds without waiting for anything",
    );
    assert_eq!(viewer.chunk(), b"part");
}

#[test]
fn a_publisher_that_never_waits_is_ended() {
    let server = publishing_server(guests::PUBLISHES_WITHOUT_A_PAUSE, "part", &[]);
    let mut viewer = Viewer::watch(server.address, "/bad");
    assert_eq!(viewer.chunk(), b"opening\npart");
    let memory = server.memory_kib();
    server.wait_for_log(
        "its publisher failed and will be restarted: the guest computed for 2 seconds without waiting for anything",
    );
    // Nothing queues, not even for a viewer that does not read.
    assert!(server.memory_kib().saturating_sub(memory) < 8 << 10);
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
}

#[test]
fn a_publisher_that_returns_ends_the_stream_properly() {
    let server = publishing_server(guests::PUBLISHES_AND_ENDS, "part", &[]);
    let reply = get(server.address, "/bad");
    assert_eq!(reply.status, 200);
    assert!(reply.text().starts_with("opening\npart") && reply.text().ends_with("partclosing\n"), "{}", reply.text());
    // The next viewer opens the channel again.
    assert!(get(server.address, "/bad").text().starts_with("opening\npart"));
}

#[test]
fn a_connection_can_be_reused_after_its_stream_has_ended() {
    let server = publishing_server(guests::PUBLISHES_AND_ENDS, "part", &[]);
    let mut stream = connect(server.address);
    for _ in 0..3 {
        let mut viewer = Viewer::watch_over(stream.try_clone().unwrap(), "/bad");
        assert_eq!(viewer.chunk(), b"opening\npart");
        while viewer.next_chunk().is_some() {}
        write!(stream, "GET /ok HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok\n\r\n0\r\n\r\n") {
            let mut bytes = [0; 512];
            let count = stream.read(&mut bytes).unwrap();
            assert!(count > 0, "the connection is closed");
            answer.extend(&bytes[..count]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
}

/// Reads the head of a stream and its first part. Returns the reader of what follows.
#[track_caller]
fn begin_stream(stream: &TcpStream) -> BufReader<TcpStream> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    assert_eq!(read_head(&mut reader).0, 200);
    assert_eq!(read_chunk(&mut reader).unwrap().unwrap(), b"opening\npart");
    reader
}

#[test]
fn requests_sent_before_and_during_a_stream_are_answered_after_it() {
    let server = publishing_server(guests::PUBLISHES_AND_ENDS, "part", &[]);
    let mut stream = connect(server.address);
    let ok = "GET /ok HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    // One request arrives with the one for the stream, and half of another.
    let (begin, end) = last.split_at(20);
    write!(stream, "GET /bad HTTP/1.1\r\nHost: x\r\n\r\n{ok}{begin}").unwrap();
    let mut reader = begin_stream(&stream);
    write!(stream, "{end}").unwrap();
    while read_chunk(&mut reader).unwrap().is_some() {}
    for _ in 0..2 {
        assert_eq!(read_head(&mut reader).0, 200);
        assert_eq!(read_chunk(&mut reader).unwrap().unwrap(), b"ok\n");
        assert_eq!(read_chunk(&mut reader).unwrap(), None);
    }
    assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the connection is closed");
}

#[test]
fn a_connection_is_closed_after_its_stream_if_the_client_asks_for_that() {
    let server = publishing_server(guests::PUBLISHES_AND_ENDS, "part", &[]);
    let mut stream = connect(server.address);
    write!(stream, "GET /bad HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("\r\nConnection: close\r\n") && text.ends_with("closing\n\r\n0\r\n\r\n"), "{text}");
}

#[test]
fn the_body_of_a_request_for_a_stream_is_not_taken_for_the_next_request() {
    let server = publishing_server(guests::PUBLISHES_AND_ENDS, "part", &[]);
    let mut stream = connect(server.address);
    let body = "GET /ok HTTP/1.1\r\nHost: x\r\n\r\n";
    write!(stream, "POST /bad HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
    let mut reader = begin_stream(&stream);
    write!(stream, "{body}").unwrap();
    let mut rest = String::new();
    stream.shutdown(Shutdown::Write).unwrap();
    // The server may reset the connection instead of reading the body.
    let _ = reader.read_to_string(&mut rest);
    assert!(!rest.contains("HTTP/1.1"), "{rest}");
}

#[test]
fn http_1_0_clients_are_sent_parts_without_chunks_and_the_connection_is_closed_at_the_end() {
    let server = publishing_server(guests::PUBLISHES_AND_ENDS, "part", &[]);
    let mut stream = connect(server.address);
    write!(stream, "GET /bad HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200"), "{head}");
    let parts = body.strip_prefix("opening\n").unwrap().strip_suffix("closing\n").unwrap();
    assert!(parts.len() >= 20 && parts.replace("part", "").is_empty(), "{parts}");
}

#[test]
fn a_new_guest_whose_publisher_fails_is_rolled_back_and_viewers_see_the_old_stream_throughout() {
    let server = publishing_server(guests::PUBLISHES, "good", &[]);
    let mut viewer = Viewer::watch(server.address, "/bad");
    assert_eq!(viewer.chunk(), b"opening\ngood");
    let broken = guests::publishing("c", guests::PUBLISHES_NOTHING_AND_TRAPS, "none");
    assert_eq!(server.put_guest(&broken).status, 200);
    let deadline = Instant::now() + DEADLINE;
    while server.generation() == 2 {
        assert!(Instant::now() < deadline, "the new guest is not rolled back");
        // The old publisher continues until the new one pushes.
        assert_eq!(viewer.chunk(), b"good");
    }
    server.wait_for_log("failed on 5 of its first 10 requests");
    (0..20).for_each(|_| assert_eq!(viewer.chunk(), b"good"));
}

#[test]
fn streams_end_at_the_drain_timeout_if_the_next_guest_publishes_nothing() {
    let server = publishing_server(guests::PUBLISHES, "part", &["--drain", "0.5"]);
    let address = server.address;
    let viewer = thread::spawn(move || get(address, "/bad"));
    wait_until("the guest publishes", || in_flight(&server) == 1);
    server.put_guest(&guests::serving(guests::TRAPS));
    let reply = viewer.join().unwrap();
    assert!(reply.text().ends_with("partclosing\n"), "the old publisher continues, and the stream ends properly");
    wait_until("the old generation has ended", || server.generations()["draining"] == serde_json::json!([]));
}

#[test]
fn a_guest_without_a_publisher_cannot_join() {
    let server = Server::start(&CAMERA);
    server.put_guest(&guests::joining_without_publishing("c"));
    assert_eq!(get(server.address, "/bad").text(), "0");
}

#[test]
fn invalid_channel_names_are_rejected() {
    let server = Server::start(&CAMERA);
    let long = "x".repeat(65);
    for name in ["", "a b", "a\\0a", "é", &long] {
        server.put_guest(&guests::publishing(name, guests::PUBLISHES, "part"));
        assert_eq!(get(server.address, "/bad").text(), "1", "{name:?}");
    }
    server.wait_for_log("a viewer cannot join a channel: invalid channel name: ");
    for name in ["a", "a/b.c_d-E9", &long[..64]] {
        assert_eq!(server.put_guest(&guests::publishing(name, guests::PUBLISHES, "part")).status, 200);
        assert_eq!(Viewer::watch(server.address, "/bad").chunk(), b"opening\npart", "{name:?}");
    }
}

/// hyper writes the head and the first part, the fan-out the others. Their bytes must not interleave, even if all of
/// them wait for the client to read.
#[test]
fn a_viewer_that_starts_to_read_late_finds_every_part_whole() {
    let server = Server::start(&CAMERA);
    server.put_guest(&guests::publishing("c", guests::PUBLISHES, "part"));
    let mut late = connect(server.address);
    write!(late, "GET /bad HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut other = Viewer::watch(server.address, "/bad");
    for _ in 0..30 {
        other.chunk();
    }
    let mut bytes = vec![0; 400];
    late.read_exact(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let parts = body.strip_prefix("C\r\nopening\npart\r\n").unwrap_or_else(|| panic!("{body:?}"));
    assert!("4\r\npart\r\n".repeat(40).starts_with(parts) && parts.len() > 100, "{parts:?}");
}

#[test]
fn labels_that_are_too_long_are_rejected() {
    let server = Server::start(&CAMERA);
    server.put_guest(&guests::publishing_with_label(65));
    assert_eq!(get(server.address, "/bad").text(), "3");
    server.wait_for_log("a viewer cannot join a channel: label too long: ");
    server.put_guest(&guests::publishing_with_label(64));
    assert_eq!(Viewer::watch(server.address, "/bad").chunk(), b"opening\npart");
}

#[test]
fn viewers_can_ask_for_fewer_pictures_per_second() {
    let folder = tempfile::tempdir().unwrap();
    const PICTURES: u32 = 300;
    pictures::fill(folder.path(), PICTURES, 0);
    let camera = format!("emulated:{},fps=40", folder.path().display());
    let server = Server::start(&["--camera", &camera]);
    let steps = |path: &str| {
        let mut viewer = Viewer::watch(server.address, path);
        let numbers: Vec<_> = (0..9).map(|_| pictures::number(&viewer.part().jpeg)).collect();
        numbers.windows(2).map(|pair| (pair[1] + PICTURES - pair[0]) % PICTURES).sum::<u32>()
    };
    // Another viewer receives all pictures at the same time.
    let mut all = Viewer::watch(server.address, "/video_feed");
    all.part();
    // Eight intervals of eight pictures each. On a busy machine, a picture may be late, but never early.
    let five = steps("/video_feed?fps=5");
    assert!((56..=96).contains(&five), "{five} pictures passed");
    for path in ["/video_feed?fps=1000", "/video_feed?fps=0", "/video_feed?fps=fast"] {
        let passed = steps(path);
        assert!((8..=24).contains(&passed), "{passed} pictures passed at {path}");
    }
}

#[test]
fn a_publisher_that_waits_for_nothing_gets_half_a_processor() {
    assert_half_a_processor(guests::PUBLISHES_AND_WAITS_FOR_NOTHING);
}

#[test]
fn a_publisher_that_waits_for_expired_timers_gets_half_a_processor() {
    assert_half_a_processor(guests::PUBLISHES_AND_POLLS);
}

/// Checks that the publisher gets no more, and continues.
#[track_caller]
fn assert_half_a_processor(publish: &str) {
    let server = Server::start(&["--camera", "emulated"]);
    server.put_guest(&guests::publishing("c", publish, "part"));
    let mut viewer = Viewer::watch(server.address, "/bad");
    assert_eq!(viewer.chunk(), b"opening\npart");
    // It may do so freely for half a second.
    thread::sleep(Duration::from_secs(1));
    let (before, started) = (processor_time(server.pid()), Instant::now());
    thread::sleep(Duration::from_secs(3));
    let used = processor_time(server.pid()) - before;
    let share = used.as_secs_f64() / started.elapsed().as_secs_f64();
    assert!(share < 0.7, "the publisher uses {share:.2} processors");
    assert!(!server.log().contains("its publisher failed"), "{}", server.log());
    wait_until("it is resumed", || processor_time(server.pid()) > before + used + Duration::from_millis(20));
}
