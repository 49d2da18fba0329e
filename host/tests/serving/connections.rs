//! Limits on connections: which ones are closed at a limit, and how clients that leave are noticed.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use hotshoe_test_support::client::{Viewer, connect, get, read_head};
use hotshoe_test_support::server::{Server, command_with_limit};
use hotshoe_test_support::{DEADLINE, guests, wait_until};

const CAMERA: [&str; 2] = ["--camera", "emulated,fps=20"];

/// Starts a server with this limit on open files.
fn start_with_open_files(limit: u32, args: &[&str]) -> Server {
    let mut command = command_with_limit(&format!("-n {limit}"));
    command.args(args);
    Server::start_command(command)
}

/// Whether the server has closed this connection, without having sent anything.
fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut byte = [0];
    let result = stream.peek(&mut byte);
    stream.set_nonblocking(false).unwrap();
    match result {
        Ok(count) => count == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

/// Sends a GET as a reverse proxy on this machine does for `client`. Returns the status and the open connection.
fn get_for(address: SocketAddr, path: &str, client: &str) -> (u16, TcpStream) {
    let mut stream = connect(address);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nX-Forwarded-For: {client}\r\n\r\n").unwrap();
    let (status, _) = read_head(&mut BufReader::new(stream.try_clone().unwrap()));
    (status, stream)
}

#[test]
fn idle_connections_do_not_exhaust_open_files() {
    let server = start_with_open_files(64, &CAMERA);
    let idle: Vec<_> = (0..150).map(|_| connect(server.address)).collect();
    // The server closes the first ones in favour of later ones.
    wait_until("the first is closed", || is_closed(&idle[0]));
    assert!(!is_closed(&idle[149]));
    for path in ["/", "/snapshot", "/state", "/events"] {
        assert_eq!(Viewer::watch(server.address, path).status, 200, "{path}");
    }
    Viewer::watch(server.address, "/video_feed").part();
    assert_eq!(server.generation(), 1);
    assert!(!server.log().contains("cannot accept a connection"), "{}", server.log());
}

#[test]
fn viewers_do_not_exhaust_open_files() {
    let server = start_with_open_files(64, &CAMERA);
    let viewers: Vec<_> = (0..60).map(|_| connect(server.address)).collect();
    for mut stream in &viewers {
        write!(stream, "GET /video_feed HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    }
    server.wait_for_log("GET /video_feed: 503, server at capacity (--max-requests)");
    wait_until("the page is served", || {
        let mut stream = connect(server.address);
        let mut reply = Vec::new();
        let sent = write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        sent.and_then(|()| stream.read_to_end(&mut reply)).is_ok() && reply.starts_with(b"HTTP/1.1 200")
    });
    assert_eq!(server.generation(), 1);
}

#[test]
fn at_the_limit_the_longest_idle_connection_is_closed() {
    let server = Server::start(&[&CAMERA[..], &["--max-connections", "5"]].concat());
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    viewer.part();
    let mut used = connect(server.address);
    let untouched = connect(server.address);
    let half_a_head = connect(server.address);
    (&half_a_head).write_all(b"GET / HT").unwrap();
    let mut probe = connect(server.address);
    // Connections are accepted in order, so the response to the last one shows that all are. Then the oldest connection
    // becomes the last one that is idle.
    for stream in [&mut probe, &mut used] {
        write!(stream, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
    }
    let sixth = connect(server.address);
    wait_until("the longest idle one is closed", || is_closed(&untouched));
    assert!(!is_closed(&half_a_head) && !is_closed(&sixth));
    let seventh = connect(server.address);
    wait_until("the next is closed", || is_closed(&half_a_head));
    assert!(!is_closed(&sixth) && !is_closed(&seventh));
    viewer.part();
}

/// They counted as busy, and ten of them kept everybody else out.
#[test]
fn connections_whose_clients_do_not_close_them_after_the_last_response_make_room() {
    let server = Server::start(&[&CAMERA[..], &["--max-connections", "4"]].concat());
    let _open: Vec<_> = (0..20)
        .map(|number| {
            let mut stream = connect(server.address);
            write!(stream, "GET /state HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
            let mut response = String::new();
            stream.read_to_string(&mut response).unwrap();
            assert!(response.starts_with("HTTP/1.1 200"), "{number}: {response}");
            stream
        })
        .collect();
}

#[test]
fn active_connections_are_not_closed_at_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::NEVER_ANSWERS);
    let guest = ["--guest", guest.to_str().unwrap(), "--answer-timeout", "3600", "--max-connections", "4"];
    let server = Server::start(&[&CAMERA[..], &guest].concat());
    let busy: Vec<_> = (0..4).map(|_| connect(server.address)).collect();
    for mut stream in &busy {
        write!(stream, "GET /bad HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    }
    wait_until("all requests are in progress", || server.generations()["current"]["under_way"] == 4);
    let rejected = get(server.address, "/ok");
    assert_eq!((rejected.status, rejected.header("retry-after")), (503, Some("1")));
    assert_eq!(rejected.text(), "503 server at capacity (--max-connections)\n");
    assert!(!busy.iter().any(is_closed));
}

#[test]
fn connections_are_limited_per_address() {
    let server =
        Server::start(&[&CAMERA[..], &["--trusted-proxy", "none", "--max-connections-per-address", "3"]].concat());
    let idle: Vec<_> = (0..3).map(|_| connect(server.address)).collect();
    let fourth = connect(server.address);
    wait_until("the first is closed", || is_closed(&idle[0]));
    assert!(!is_closed(&idle[1]) && !is_closed(&fourth));
    let viewers: Vec<_> = (0..3).map(|_| Viewer::watch(server.address, "/video_feed")).collect();
    let rejected = get(server.address, "/");
    assert_eq!(rejected.status, 503);
    assert_eq!(rejected.text(), "503 too many connections from this address (--max-connections-per-address)\n");
    drop(viewers);
    wait_until("the server admits a connection", || get(server.address, "/").status == 200);
}

#[test]
fn requests_are_limited_per_client_of_a_trusted_proxy() {
    let server = Server::start(&[&CAMERA[..], &["--max-connections-per-address", "2"]].concat());
    let streams: Vec<_> = (0..2).map(|_| get_for(server.address, "/video_feed", "203.0.113.7")).collect();
    assert!(streams.iter().all(|(status, _)| *status == 200));
    // An address that the client forged does not count.
    assert_eq!(get_for(server.address, "/", "198.51.100.1, 203.0.113.7").0, 429);
    assert_eq!(get_for(server.address, "/", "203.0.113.8").0, 200);
    // The proxy itself has no limit per address, and neither have clients that it does not name.
    let unnamed: Vec<_> = (0..5).map(|_| Viewer::watch(server.address, "/video_feed")).collect();
    assert!(unnamed.iter().all(|viewer| viewer.status == 200));
    drop(streams);
    wait_until("the server admits a request", || get_for(server.address, "/", "203.0.113.7").0 == 200);
}

#[test]
fn streams_leave_capacity_for_other_requests() {
    const STREAMS: usize = 40;
    let server = Server::start(&[&CAMERA[..], &["--max-requests", &STREAMS.to_string()]].concat());
    let viewers: Vec<_> = (0..STREAMS + 10).map(|_| Viewer::watch(server.address, "/video_feed?fps=0.00001")).collect();
    assert_eq!(viewers.iter().filter(|viewer| viewer.status == 200).count(), STREAMS);
    assert!(viewers.iter().all(|viewer| [200, 503].contains(&viewer.status)));
    for path in ["/", "/snapshot", "/state", "/log"] {
        assert_eq!(get(server.address, path).status, 200, "{path}");
    }
}

#[test]
fn a_client_that_half_closes_gets_its_response() {
    let server = Server::start(&CAMERA);
    for path in ["/", "/snapshot", "/log"] {
        let mut stream = connect(server.address);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        assert!(reply.starts_with(b"HTTP/1.1 200"), "{path}");
    }
    let stream = connect(server.address);
    let mut viewer = Viewer::watch_over(stream.try_clone().unwrap(), "/video_feed");
    stream.shutdown(Shutdown::Write).unwrap();
    (0..20).for_each(|_| drop(viewer.part()));
}

#[test]
fn a_client_that_closes_before_its_response_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::NEVER_ANSWERS);
    let guest = ["--guest", guest.to_str().unwrap(), "--answer-timeout", "3600", "--max-requests", "1"];
    let server = Server::start(&[&CAMERA[..], &guest].concat());
    let mut stream = connect(server.address);
    write!(stream, "GET /bad HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    wait_until("the request is in progress", || server.generations()["current"]["under_way"] == 1);
    assert_eq!(get(server.address, "/ok").status, 503);
    // The kernel sends the same FIN as for a client that half-closes and waits for its response.
    drop(stream);
    wait_until("the server admits a request", || get(server.address, "/ok").status == 200);
}

#[test]
fn viewers_that_leave_are_noticed_with_the_next_part() {
    let server = Server::start(&CAMERA);
    let viewers: Vec<_> = (0..50).map(|_| Viewer::watch(server.address, "/video_feed")).collect();
    let files = server.open_files();
    drop(viewers);
    let left = Instant::now();
    wait_until("their connections are closed", || server.open_files() + 50 <= files);
    // The server sends each of them 20 parts per second.
    assert!(left.elapsed() < DEADLINE / 3);
    wait_until("the camera is closed", || !server.threads().iter().any(|(_, name)| name.starts_with("capture-")));
}

#[test]
fn connections_closed_at_the_limit_no_longer_count() {
    let server = Server::start(&[&CAMERA[..], &["--max-connections", "16"]].concat());
    for _ in 0..20 {
        let crowd: Vec<_> = (0..40).map(|_| connect(server.address)).collect();
        assert_eq!(get(server.address, "/").status, 200);
        drop(crowd);
    }
    // As the server counts them, which is what matters.
    let connections = || get(server.admin.unwrap(), "/status").json()["requests"]["connections"].as_u64().unwrap();
    wait_until("all connections are closed", || connections() == 0);
    // Sixteen connections fit, and one more closes the first of them.
    let idle: Vec<_> = (0..17).map(|_| connect(server.address)).collect();
    wait_until("the first is closed", || is_closed(&idle[0]));
    assert!(!idle[1..].iter().any(is_closed));
}
