//! Limits on connections and requests: who gets in, and who has to make room.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Instant;

use hotshoe_test_support::client::{Viewer, connect, get, read_head};
use hotshoe_test_support::server::{Server, program, set_environment};
use hotshoe_test_support::{DEADLINE, guests, wait_until};

const CAMERA: [&str; 2] = ["--camera", "emulated,fps=20"];

/// A server that may have so many files open.
fn start_with_open_files(limit: u32, args: &[&str]) -> Server {
    let mut command = Command::new("sh");
    set_environment(&mut command);
    command.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]).arg(program()).args(args);
    Server::start_command(command)
}

/// Whether the server has closed this connection, to which it has sent nothing.
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

/// GET a path for a client behind a reverse proxy on this machine, and watch what comes.
fn watch_for(address: SocketAddr, path: &str, client: &str) -> (u16, TcpStream) {
    let mut stream = connect(address);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nX-Forwarded-For: {client}\r\n\r\n").unwrap();
    let (status, _) = read_head(&mut BufReader::new(stream.try_clone().unwrap()));
    (status, stream)
}

#[test]
fn idle_connections_do_not_use_up_the_open_files() {
    let server = start_with_open_files(64, &CAMERA);
    let idle: Vec<_> = (0..150).map(|_| connect(server.address)).collect();
    // Some of the first have made room for those after them, and the last are still there.
    wait_until("the first has made room", || is_closed(&idle[0]));
    assert!(!is_closed(&idle[149]));
    for path in ["/", "/snapshot", "/state", "/events"] {
        assert_eq!(Viewer::watch(server.address, path).status, 200, "{path}");
    }
    Viewer::watch(server.address, "/video_feed").part();
    assert_eq!(server.generation(), 1);
    assert!(!server.log().contains("cannot accept a connection"), "{}", server.log());
}

#[test]
fn viewers_do_not_use_up_the_open_files() {
    let server = start_with_open_files(64, &CAMERA);
    let viewers: Vec<_> = (0..60).map(|_| connect(server.address)).collect();
    for mut stream in &viewers {
        write!(stream, "GET /video_feed HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    }
    server.wait_for_log("GET /video_feed: 503, server at capacity (--max-requests)");
    wait_until("the page answers", || {
        let mut stream = connect(server.address);
        let mut answer = Vec::new();
        let asked = write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        asked.and_then(|()| stream.read_to_end(&mut answer)).is_ok() && answer.starts_with(b"HTTP/1.1 200")
    });
    assert_eq!(server.generation(), 1);
}

#[test]
fn at_the_limit_the_connection_that_has_waited_longest_makes_room() {
    let server = Server::start(&[&CAMERA[..], &["--max-connections", "4"]].concat());
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    viewer.part();
    let mut used = connect(server.address);
    let untouched = connect(server.address);
    let half_a_head = connect(server.address);
    (&half_a_head).write_all(b"GET / HT").unwrap();
    // The oldest, but the last to have begun to wait.
    write!(used, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut head = [0; 4096];
    assert!(used.read(&mut head).unwrap() > 0);
    let newcomer = connect(server.address);
    wait_until("one has made room", || is_closed(&untouched));
    assert!(!is_closed(&half_a_head) && !is_closed(&newcomer));
    let another = connect(server.address);
    wait_until("another has made room", || is_closed(&half_a_head));
    assert!(!is_closed(&newcomer) && !is_closed(&another));
    viewer.part();
}

#[test]
fn a_connection_with_a_request_in_progress_is_never_closed_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::NEVER_ANSWERS);
    let guest = ["--guest", guest.to_str().unwrap(), "--answer-timeout", "3600", "--max-connections", "4"];
    let server = Server::start(&[&CAMERA[..], &guest].concat());
    let busy: Vec<_> = (0..4).map(|_| connect(server.address)).collect();
    for mut stream in &busy {
        write!(stream, "GET /bad HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    }
    wait_until("all of them are in progress", || server.generations()["current"]["under_way"] == 4);
    let refused = get(server.address, "/ok");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.text(), "503 server at capacity (--max-connections)\n");
    assert!(!busy.iter().any(is_closed));
}

#[test]
fn one_address_has_a_limit_of_its_own() {
    let server =
        Server::start(&[&CAMERA[..], &["--trusted-proxy", "none", "--max-connections-per-address", "3"]].concat());
    let idle: Vec<_> = (0..3).map(|_| connect(server.address)).collect();
    let newcomer = connect(server.address);
    wait_until("the first has made room", || is_closed(&idle[0]));
    assert!(!is_closed(&idle[1]) && !is_closed(&newcomer));
    let viewers: Vec<_> = (0..3).map(|_| Viewer::watch(server.address, "/video_feed")).collect();
    let refused = get(server.address, "/");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.text(), "503 too many connections from this address (--max-connections-per-address)\n");
    drop(viewers);
    wait_until("there is room", || get(server.address, "/").status == 200);
}

#[test]
fn clients_of_a_trusted_proxy_have_limits_of_their_own() {
    let server = Server::start(&[&CAMERA[..], &["--max-connections-per-address", "2"]].concat());
    let of_one: Vec<_> = (0..2).map(|_| watch_for(server.address, "/video_feed", "203.0.113.7")).collect();
    assert!(of_one.iter().all(|(status, _)| *status == 200));
    // The client counts, and not what it says of itself to the proxy.
    assert_eq!(watch_for(server.address, "/", "198.51.100.1, 203.0.113.7").0, 429);
    assert_eq!(watch_for(server.address, "/", "203.0.113.8").0, 200);
    // The proxy itself, and those that it does not name, are not counted by address.
    let unnamed: Vec<_> = (0..5).map(|_| Viewer::watch(server.address, "/video_feed")).collect();
    assert!(unnamed.iter().all(|viewer| viewer.status == 200));
    drop(of_one);
    wait_until("there is room", || watch_for(server.address, "/", "203.0.113.7").0 == 200);
}

#[test]
fn idle_viewers_leave_room_for_everything_else() {
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
fn a_client_that_closes_its_side_gets_its_answer() {
    let server = Server::start(&CAMERA);
    for path in ["/", "/snapshot", "/log"] {
        let mut stream = connect(server.address);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}");
    }
    let stream = connect(server.address);
    let mut viewer = Viewer::watch_over(stream.try_clone().unwrap(), "/video_feed");
    stream.shutdown(Shutdown::Write).unwrap();
    (0..20).for_each(|_| drop(viewer.part()));
}

#[test]
fn a_client_that_closes_its_side_and_is_gone_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::NEVER_ANSWERS);
    let guest = ["--guest", guest.to_str().unwrap(), "--answer-timeout", "3600", "--max-requests", "1"];
    let server = Server::start(&[&CAMERA[..], &guest].concat());
    let mut stream = connect(server.address);
    write!(stream, "GET /bad HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    wait_until("it is in progress", || server.generations()["current"]["under_way"] == 1);
    assert_eq!(get(server.address, "/ok").status, 503);
    // The system sends the same as for a client that waits for its answer.
    drop(stream);
    wait_until("there is room again", || get(server.address, "/ok").status == 200);
}

#[test]
fn viewers_that_leave_are_noticed_at_the_next_part() {
    let server = Server::start(&CAMERA);
    let viewers: Vec<_> = (0..50).map(|_| Viewer::watch(server.address, "/video_feed")).collect();
    let files = server.open_files();
    drop(viewers);
    let left = Instant::now();
    wait_until("their connections are closed", || server.open_files() + 50 <= files);
    // Each is sent twenty parts a second.
    assert!(left.elapsed() < DEADLINE / 3);
    wait_until("nobody watches", || !server.threads().iter().any(|(_, name)| name.starts_with("capture-")));
}

#[test]
fn connections_that_come_and_go_at_the_limit_leave_nothing_behind() {
    let server = Server::start(&[&CAMERA[..], &["--max-connections", "16"]].concat());
    let files = server.open_files();
    for _ in 0..20 {
        let crowd: Vec<_> = (0..40).map(|_| connect(server.address)).collect();
        assert_eq!(get(server.address, "/").status, 200);
        drop(crowd);
    }
    wait_until("all are closed", || server.open_files() <= files + 1);
    // None of those before counts any more: there is room for sixteen, and the next closes the first of them.
    let idle: Vec<_> = (0..17).map(|_| connect(server.address)).collect();
    wait_until("one has made room", || is_closed(&idle[0]));
    assert!(!idle[1..].iter().any(is_closed));
}
