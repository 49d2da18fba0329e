//! Requests: one instance answers several at the same time.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use hotshoe_test_support::client::{Viewer, get, send, try_request};
use hotshoe_test_support::server::{Server, run};
use hotshoe_test_support::{built_in_pictures, guests, wait_until};
use rustix::process::Signal;

use super::{component, guest, read_part, read_to_end, start};

/// The most requests that an instance answers at the same time.
const MAX_LIVE_REQUESTS: usize = 16;

/// The most requests that an instance answers in total.
const MAX_REQUESTS: usize = 128;

pub fn answers_and_imports_are_listed() {
    let server = start(&[]);
    assert_eq!(get(server.address, "/hello?x=1").text(), "/hello?x=1");
    assert_eq!(send(server.address, "POST", "/echo", &[], b"a body").text(), "a body");
    let large = get(server.address, "/large").body;
    assert!(large.len() == 10_000_000 && large.iter().all(|byte| *byte == 7), "{}", large.len());
    // The standard library prints by WASI 0.2.
    assert_eq!(get(server.address, "/sent").text(), "/sent");
    server.wait_for_log("guest stdout: sent: true");
    // Denied by the error of the interface.
    let error = get(server.address, "/fetch").text();
    assert!(error.contains("HttpRequestDenied"), "{error}");

    let output = run(["guest", "imports", guest()]);
    let imports = String::from_utf8(output.stdout).unwrap();
    for line in [
        "wasi:http/types@0.3.0: granted\n",
        "wasi:http/client@0.3.0: denied\n",
        "wasi:io/streams@0.2.6: granted\n",
        "hotshoe:camera/cameras@0.3.0: granted\n",
        "hotshoe:server/channels@0.3.0: granted\n    ",
        "    [method]channel.push\n",
        "hotshoe:server/generations@0.3.0: granted\n    ",
    ] {
        assert!(imports.contains(line), "{line} in {imports}");
    }
}

pub fn one_instance_answers_requests_at_the_same_time() {
    let server = start(&[]);
    // Each of them waits until all are in the same instance.
    let requests: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn({
                let address = server.address;
                move || get(address, "/meet").status
            })
        })
        .collect();
    for request in requests {
        assert_eq!(request.join().unwrap(), 200);
    }
}

pub fn cameras_are_read_without_blocking_the_instance() {
    let server = start(&["--answer-timeout", "5"]);
    let snapshot = get(server.address, "/snapshot");
    assert!(built_in_pictures().contains(&snapshot.body), "{}", server.log());
    // The bytes that were read are not sent again, and no others are lost.
    let rest = get(server.address, "/rest-of-snapshot").body;
    assert!(built_in_pictures().iter().any(|picture| picture[10..] == rest), "{} bytes", rest.len());
    let mut viewers: Vec<_> = (0..MAX_LIVE_REQUESTS - 2).map(|_| Viewer::watch(server.address, "/frames")).collect();
    for viewer in &mut viewers {
        assert!(built_in_pictures().contains(&viewer.part().jpeg));
    }
    // The cameras do not change, so this waits.
    let waiting = thread::spawn({
        let address = server.address;
        move || get(address, "/wait").status
    });
    for _ in 0..5 {
        viewers.iter_mut().for_each(|viewer| drop(viewer.part()));
        assert_eq!(get(server.address, "/ok").status, 200);
    }
    assert_eq!(waiting.join().unwrap(), 504);
    viewers.iter_mut().for_each(|viewer| drop(viewer.part()));
}

pub fn an_instance_answers_a_bounded_number_of_requests() {
    let server = start(&[]);
    let counts: Vec<usize> =
        (0..2 * MAX_REQUESTS).map(|_| get(server.address, "/count").text().parse().unwrap()).collect();
    assert_eq!(counts.iter().max(), Some(&(MAX_REQUESTS - 1)));
    assert!(counts.iter().filter(|count| **count == 0).count() >= 2, "{counts:?}");
}

pub fn a_trap_ends_only_the_responses_of_its_instance() {
    let server = start(&[]);
    let mut first: Vec<_> = (0..MAX_LIVE_REQUESTS).map(|_| Viewer::watch(server.address, "/parts")).collect();
    first.iter_mut().for_each(read_part);
    // The first instance is full, so this is another.
    let mut second = Viewer::watch(server.address, "/parts");
    read_part(&mut second);
    assert_eq!(get(server.address, "/trap").status, 502);
    server.wait_for_log("panicked");
    server.wait_for_log("GET /parts: the response was cut off: the guest trapped");
    first.iter_mut().for_each(read_part);
    assert_eq!(get(server.address, "/ok").status, 200);

    let (reply, end) = try_request(server.address, "GET", "/trap-later");
    assert_eq!((reply.status, reply.text()), (200, "begun\n".to_owned()));
    assert!(end.is_err(), "the response looks complete");
}

pub fn a_request_without_an_answer_does_not_end_others() {
    let server = start(&["--answer-timeout", "1"]);
    let mut viewer = Viewer::watch(server.address, "/parts");
    read_part(&mut viewer);
    assert_eq!(get(server.address, "/never").status, 504);
    read_part(&mut viewer);
    assert_eq!(get(server.address, "/error").status, 502);
    read_part(&mut viewer);
}

pub fn a_guest_that_computes_is_stopped() {
    let server = start(&["--answer-timeout", "10"]);
    let spinning = thread::spawn({
        let address = server.address;
        move || get(address, "/spin").status
    });
    server.wait_for_log("guest stdout: spinning");
    // Other instances answer meanwhile.
    for _ in 0..10 {
        assert_eq!(get(server.address, "/ok").status, 200);
    }
    assert!(!spinning.is_finished(), "requests waited for the busy instance");
    assert_eq!(spinning.join().unwrap(), 504);

    let (reply, end) = try_request(server.address, "GET", "/spin-later");
    assert_eq!((reply.text(), end.is_err()), ("begun\n".to_owned(), true));
    server.wait_for_log("GET /spin-later: the response was cut off: the guest computed for 2 seconds");
    // No instance computes on.
    let busy = || std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let ticks = |stat: &str| stat.rsplit(')').next().unwrap().split(' ').nth(12).unwrap().parse::<u64>().unwrap();
    wait_until("the processor is free", || {
        let before = ticks(&busy());
        thread::sleep(Duration::from_millis(200));
        ticks(&busy()) - before < 10
    });
}

/// An instance was given all of them at once. They waited until the first was stopped.
pub fn requests_that_arrive_with_one_that_computes_do_not_wait() {
    let server = start(&["--answer-timeout", "30"]);
    // The instance exists.
    assert_eq!(get(server.address, "/error").status, 502);
    let request = |path| {
        let mut client = TcpStream::connect(server.address).unwrap();
        write!(client, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        client
    };
    server.signal(Signal::STOP);
    let before: Vec<_> = (0..4).map(|_| request("/error")).collect();
    let mut spinning = request("/spin");
    let after: Vec<_> = (0..8).map(|_| request("/error")).collect();
    server.signal(Signal::CONT);
    for client in before.into_iter().chain(after) {
        let mut status = String::new();
        BufReader::new(client).read_line(&mut status).unwrap();
        assert_eq!(status, "HTTP/1.1 502 Bad Gateway\r\n");
    }
    spinning.set_nonblocking(true).unwrap();
    assert_eq!(spinning.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock, "they waited for the busy instance");
}

pub fn limits_on_memory_and_resources_hold() {
    let server = start(&[]);
    for (path, log) in
        [("/grow", "memory allocation of 1073741824 bytes failed"), ("/leak", "GET /leak: 502, the guest trapped")]
    {
        assert_eq!(get(server.address, path).status, 502, "{path}");
        server.wait_for_log(log);
    }
    assert_eq!(get(server.address, "/ok").status, 200);
}

pub fn an_incomplete_response_looks_incomplete() {
    let server = start(&[]);
    for (path, log) in [
        ("/short", "GET /short: the response was cut off: the guest did not finish its response"),
        ("/fail-later", "GET /fail-later: the response was cut off: the guest responded with an error"),
    ] {
        let (_, end) = try_request(server.address, "GET", path);
        assert!(end.is_err(), "{path}");
        server.wait_for_log(log);
    }
}

pub fn a_slow_client_stops_only_its_own_stream() {
    let server = start(&[]);
    let written = || get(server.address, "/written").text().parse::<u64>().unwrap();
    let slow = Viewer::watch(server.address, "/flood");
    let mut viewer = Viewer::watch(server.address, "/parts");
    let mut last = 0;
    wait_until("the guest no longer writes", || {
        thread::sleep(Duration::from_millis(300));
        std::mem::replace(&mut last, written()) == last && last > 0
    });
    read_part(&mut viewer);
    // The guest learns that a client has gone, and its instance continues.
    slow.reset();
    drop(viewer);
    server.wait_for_log("guest stdout: the viewer has gone");
    assert!(written() <= last + 1, "the guest writes to a client that has gone");
}

pub fn both_versions_replace_each_other_under_viewers() {
    let server = start(&["--drain", "1"]);
    let mut viewers: Vec<_> = (0..20).map(|_| Viewer::watch(server.address, "/parts")).collect();
    viewers.iter_mut().for_each(read_part);
    assert_eq!(server.put_guest(&guests::built_in()).status, 200);
    assert_eq!(get(server.address, "/snapshot").status, 200);
    for viewer in &mut viewers {
        let end = read_to_end(viewer);
        // Not between the two writes of a part.
        assert!(end.ends_with("part\r\n\r\n--frame--\r\n"), "{end:?}");
    }
    wait_until("the first generation is gone", || server.generations()["draining"].as_array().unwrap().is_empty());
    let mut shared = Viewer::watch(server.address, "/video_feed");
    shared.part();
    assert_eq!(server.put_guest(&component()).status, 200);
    assert_eq!(get(server.address, "/hello").text(), "/hello");
    assert_eq!(server.generation(), 3);
}

pub fn a_guest_that_fails_is_rolled_back() {
    let server = Server::start(&["--camera", "emulated"]);
    let reply = server.put_guest(&component());
    assert_eq!(reply.status, 200, "{}", reply.text());
    for _ in 0..5 {
        assert_eq!(get(server.address, "/trap").status, 502);
    }
    server.wait_for_log("rolling back to");
    assert_eq!(get(server.address, "/snapshot").status, 200);
}
