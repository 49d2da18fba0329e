//! Guests of WASI 0.3 that keep their instance busy without computing for long.

use std::fs::read_to_string;
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, connect, get};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;
use socket2::SockRef;

use super::{start, under_way};

/// How much processor time the server has used (proc_pid_stat(5): `utime` and `stime`, in hundredths of a second).
fn processor_time(server: &Server) -> Duration {
    let stat = read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let ticks: u64 =
        stat.rsplit(')').next().unwrap().split(' ').skip(12).take(2).map(|n| n.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

pub fn a_guest_that_yields_gets_half_a_processor() {
    let server = start(&["--drain", "1"]);
    let mut viewer = Viewer::watch(server.address, "/yield");
    assert_eq!(viewer.chunk(), b"begun\n");
    assert_half_a_processor(&server);
}

pub fn a_publisher_that_yields_gets_half_a_processor() {
    let server = start(&[]);
    let mut viewer = Viewer::watch(server.address, "/channel/join/yields");
    assert_eq!(viewer.chunk(), b"opening\nbegun\n");
    assert_half_a_processor(&server);
}

/// Checks that the guest uses no more, and that other requests continue.
fn assert_half_a_processor(server: &Server) {
    // It may yield freely for half a second.
    thread::sleep(Duration::from_secs(1));
    let (before, started) = (processor_time(server), Instant::now());
    thread::sleep(Duration::from_secs(3));
    let used = processor_time(server) - before;
    let share = used.as_secs_f64() / started.elapsed().as_secs_f64();
    assert!(share < 0.7, "the guest uses {share:.2} processors");
    wait_until("the guest is resumed", || processor_time(server) > before + used + Duration::from_millis(20));
    for _ in 0..5 {
        assert_eq!(get(server.address, "/ok").status, 200);
    }
}

pub fn requests_do_not_wait_for_an_instance_that_begins_to_block() {
    assert_other_requests_continue(|_| {});
}

pub fn requests_do_not_wait_for_an_instance_that_has_blocked() {
    assert_other_requests_continue(|server| {
        // proc_pid_stat(5): a thread that waits, here for the guest, is in the state `S`.
        let waits = |stat: String| stat.rsplit(')').next().is_some_and(|fields| fields.starts_with(" S"));
        let stat = |tid: u32| read_to_string(format!("/proc/{}/task/{tid}/stat", server.pid()));
        wait_until("every thread waits", || server.threads().iter().all(|(tid, _)| stat(*tid).is_ok_and(waits)));
    });
}

/// Checks that requests continue after one has blocked its instance, as soon as `is_time` has returned.
fn assert_other_requests_continue(is_time: impl FnOnce(&Server)) {
    let server = start(&["--answer-timeout", "10"]);
    let address = server.address;
    let blocked = thread::spawn(move || get(address, "/block").status);
    server.wait_for_log("guest stdout: blocking");
    is_time(&server);
    for _ in 0..20 {
        assert_eq!(get(address, "/ok").status, 200);
    }
    assert!(!blocked.is_finished(), "requests waited for the blocked instance");
    assert_eq!(blocked.join().unwrap(), 504);
}

pub fn blocked_instances_whose_clients_have_left_end() {
    // The pool has fewer instances than there are requests.
    let server = start(&["--max-requests", "4"]);
    let before = under_way(&server);
    for count in 1..=250 {
        let request = connect(server.address);
        (&request).write_all(b"GET /block HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        server.wait_for_logs("guest stdout: blocking", count);
        // Resets the connection. The server could not tell a client that has left from one that only sends no more.
        SockRef::from(&request).set_linger(Some(Duration::ZERO)).unwrap();
        drop(request);
        wait_until("the server has noticed", || under_way(&server) == before);
    }
    assert_eq!(get(server.address, "/ok").status, 200);
}
