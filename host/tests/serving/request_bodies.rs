//! Clients that do not send the request body they announced. This does not count as a failure of the guest.

use std::io::{BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{connect, get, raw_request, read_head};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, guests, wait_until};

/// Starts a server whose guest is on probation, because it was just replaced.
fn with_guest_on_probation(more: &[&str]) -> Server {
    let server = Server::start(&[&["--camera", "emulated", "--allow-control"], more].concat());
    assert_eq!(server.put_guest(&guests::variant(&guests::built_in(), 1)).status, 200);
    server
}

/// Sends a request head, except for the empty line that ends it.
fn begin(server: &Server, head: &str) -> TcpStream {
    let mut stream = connect(server.address);
    write!(stream, "{head}\r\nHost: {}\r\n", server.address).unwrap();
    stream
}

/// Sends the head of a POST with a body of this length.
fn post(server: &Server, length: usize) -> TcpStream {
    let mut stream = begin(server, "POST /controls HTTP/1.1");
    write!(stream, "Content-Length: {length}\r\n\r\n").unwrap();
    stream
}

#[track_caller]
fn assert_no_failures(server: &Server) {
    wait_until("all requests have ended", || server.generations()["current"]["under_way"] == 0);
    let generations = server.generations();
    assert_eq!(generations["current"]["generation"], 2, "{generations}");
    assert_eq!(generations["current"]["failures"], 0, "{generations}");
    assert_eq!(get(server.address, "/controls").status, 200);
}

#[test]
fn missing_bodies_get_408_and_do_not_count_as_failures() {
    let server = with_guest_on_probation(&["--answer-timeout", "2"]);
    let clients: Vec<_> = (0..6).map(|_| post(&server, 100)).collect();
    for client in clients {
        let (status, headers) = read_head(&mut BufReader::new(client));
        assert_eq!(status, 408);
        assert!(headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("connection") && value == "close"));
    }
    server.wait_for_logs("POST /controls: 408, the client did not send the request body in time", 6);
    assert_no_failures(&server);
}

#[test]
fn truncated_bodies_do_not_count_as_failures() {
    let server = with_guest_on_probation(&[]);
    for _ in 0..6 {
        let mut client = post(&server, 100);
        client.write_all(b"pause=1").unwrap();
        drop(client);
    }
    assert_no_failures(&server);
}

#[test]
fn malformed_bodies_get_400_and_do_not_count_as_failures() {
    let server = with_guest_on_probation(&[]);
    for _ in 0..6 {
        let head = format!("POST /controls HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n", server.address);
        let (reply, _) = raw_request(server.address, &[head.as_bytes(), b"zz\r\nnonsense"].concat(), false);
        assert_eq!(reply.status, 400);
    }
    assert_no_failures(&server);
}

#[test]
fn a_steady_body_may_take_longer_than_the_answer_timeout() {
    let server = with_guest_on_probation(&["--answer-timeout", "1.5"]);
    let mut client = post(&server, 7);
    for byte in b"pause=1" {
        thread::sleep(Duration::from_millis(400));
        client.write_all(&[*byte]).unwrap();
    }
    assert_eq!(read_head(&mut BufReader::new(client)).0, 200);
    assert_no_failures(&server);
}

#[test]
fn requests_are_rejected_without_reading_their_body() {
    let assert_rejected = |server: &Server, head: &str, length: usize, status: u16| {
        let mut client = begin(server, head);
        // The server must not send 100 Continue.
        write!(client, "Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n").unwrap();
        let mut status_line = [0; 12];
        client.read_exact(&mut status_line).unwrap();
        assert_eq!(String::from_utf8_lossy(&status_line), format!("HTTP/1.1 {status}"), "{head}");
    };
    let without_controls = Server::start(&["--camera", "emulated"]);
    assert_rejected(&without_controls, "POST /controls HTTP/1.1", 7, 403);
    let with_controls = Server::start(&["--camera", "emulated", "--allow-control"]);
    assert_rejected(&with_controls, "POST /controls/nobody HTTP/1.1", 7, 404);
    assert_rejected(&with_controls, "PUT /controls HTTP/1.1", 7, 405);
    assert_rejected(&with_controls, "POST /controls HTTP/1.1", 1 << 20, 413);
}

/// The server closed the connection with bytes that it had not read, so the kernel reset it.
#[test]
fn a_client_that_sends_its_whole_request_first_gets_the_response_that_refuses_it() {
    // More than the kernel buffers, so the server has responded long before the client has sent everything.
    const LENGTH: usize = 16 << 20;
    let server = Server::start(&["--camera", "emulated", "--allow-control"]);
    let upload = |head: &str| {
        let head = format!("{head} HTTP/1.1\r\nHost: {}\r\nContent-Length: {LENGTH}\r\n\r\n", server.address);
        [head.as_bytes(), &[b'x'; LENGTH]].concat()
    };
    for (head, status) in [("POST /controls", 413), ("PUT /controls", 405), ("POST /", 405), ("POST /nowhere", 404)] {
        let (reply, end) = raw_request(server.address, &upload(head), false);
        assert_eq!(reply.status, status, "{head}");
        assert_eq!(reply.header("connection"), Some("close"), "{head}");
        end.unwrap();
    }
    // hyper answers this one.
    let large_head = format!("GET / HTTP/1.1\r\nX-Large: {}\r\n\r\n", "x".repeat(LENGTH));
    let (reply, end) = raw_request(server.address, large_head.as_bytes(), false);
    assert_eq!(reply.status, 431);
    end.unwrap();
}

#[test]
fn a_refused_client_that_sends_for_ever_is_dropped() {
    let server = Server::start(&["--camera", "emulated", "--allow-control"]);
    let mut client = post(&server, usize::MAX >> 1);
    let deadline = Instant::now() + DEADLINE;
    let error = loop {
        assert!(Instant::now() < deadline, "it is still read");
        if let Err(error) = client.write_all(&[b'x'; 8 << 10]) {
            break error;
        }
    };
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
}
