//! Clients that do not send the body that they announced: the host's to deal with, and no failure of the guest's.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use hotshoe_test_support::client::{connect, get, raw_request, read_head};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{guests, wait_until};

/// A server whose guest was just replaced, and so is on probation.
fn just_swapped(more: &[&str]) -> Server {
    let server = Server::start(&[&["--camera", "emulated", "--allow-control"], more].concat());
    assert_eq!(server.put_guest(&guests::variant(&guests::built_in(), 1)).status, 200);
    server
}

/// Send a request's head, which announces a body.
fn announce(server: &Server, head: &str) -> TcpStream {
    let mut stream = connect(server.address);
    write!(stream, "{head}\r\nHost: {}\r\n", server.address).unwrap();
    stream
}

fn post(server: &Server, length: usize) -> TcpStream {
    let mut stream = announce(server, "POST /controls HTTP/1.1");
    write!(stream, "Content-Length: {length}\r\n\r\n").unwrap();
    stream
}

#[track_caller]
fn is_not_blamed(server: &Server) {
    wait_until("all are done", || server.generations()["current"]["under_way"] == 0);
    let generations = server.generations();
    assert_eq!(generations["current"]["generation"], 2, "{generations}");
    assert_eq!(generations["current"]["failures"], 0, "{generations}");
    assert_eq!(get(server.address, "/controls").status, 200);
}

#[test]
fn bodies_that_never_arrive_get_408_and_do_not_count_against_the_guest() {
    let server = just_swapped(&["--answer-timeout", "2"]);
    let clients: Vec<_> = (0..6).map(|_| post(&server, 100)).collect();
    for client in clients {
        let (status, headers) = read_head(&mut BufReader::new(client));
        assert_eq!(status, 408);
        assert!(headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("connection") && value == "close"));
    }
    server.wait_for_logs("POST /controls: 408, the client did not send the request body in time", 6);
    is_not_blamed(&server);
}

#[test]
fn bodies_that_break_off_do_not_count_against_the_guest() {
    let server = just_swapped(&[]);
    for _ in 0..6 {
        let mut client = post(&server, 100);
        client.write_all(b"pause=1").unwrap();
        drop(client);
    }
    is_not_blamed(&server);
}

#[test]
fn bodies_that_are_no_http_get_400_and_do_not_count_against_the_guest() {
    let server = just_swapped(&[]);
    for _ in 0..6 {
        let head = format!("POST /controls HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n", server.address);
        let (reply, _) = raw_request(server.address, &[head.as_bytes(), b"zz\r\nnonsense"].concat(), false);
        assert_eq!(reply.status, 400);
    }
    is_not_blamed(&server);
}

#[test]
fn a_steady_body_may_take_longer_than_the_guest_may_to_answer() {
    let server = just_swapped(&["--answer-timeout", "1.5"]);
    let mut client = post(&server, 7);
    for byte in b"pause=1" {
        thread::sleep(Duration::from_millis(400));
        client.write_all(&[*byte]).unwrap();
    }
    assert_eq!(read_head(&mut BufReader::new(client)).0, 200);
    is_not_blamed(&server);
}

#[test]
fn what_is_refused_anyway_is_refused_before_the_body_is_read() {
    let refused = |server: &Server, head: &str, length: usize, status: u16| {
        let mut client = announce(server, head);
        // A client that asks before it sends the body must not be told to go on.
        write!(client, "Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n").unwrap();
        let mut begun = [0; 12];
        client.read_exact(&mut begun).unwrap();
        assert_eq!(String::from_utf8_lossy(&begun), format!("HTTP/1.1 {status}"), "{head}");
    };
    let closed = Server::start(&["--camera", "emulated"]);
    refused(&closed, "POST /controls HTTP/1.1", 7, 403);
    let open = Server::start(&["--camera", "emulated", "--allow-control"]);
    refused(&open, "POST /controls/nobody HTTP/1.1", 7, 404);
    refused(&open, "PUT /controls HTTP/1.1", 7, 405);
    refused(&open, "POST /controls HTTP/1.1", 1 << 20, 413);
}
