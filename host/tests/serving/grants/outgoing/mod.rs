//! Outgoing HTTP: `--allow-outgoing`.

mod guest;
mod origin;

use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::{Server, command};
use hotshoe_test_support::wait_until;

use self::guest::{POSTS, RELAYS, SENDS_AND_FORGETS, SENDS_IN_A_LOOP, SENDS_TEN_AT_ONCE};
use self::origin::Origin;

const CONNECTION_LIMIT_REACHED: &str = "error 011";
const DESTINATION_IP_PROHIBITED: &str = "error 004";
const HTTP_REQUEST_DENIED: &str = "error 015";
const HTTP_RESPONSE_HEADER_SECTION_SIZE: &str = "error 026";
const HTTP_RESPONSE_TIMEOUT: &str = "error 033";
const TLS_CERTIFICATE_ERROR: &str = "error 013";

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Starts a server whose guest sends requests to `url`, with these values of `--allow-outgoing`.
fn start(folder: &Path, url: &str, function: &str, allowed: &[&str]) -> Server {
    let guest = guest::write(folder, url, function);
    let mut args = vec!["--camera", "emulated", "--guest", guest.to_str().unwrap(), "--answer-timeout", "5"];
    for origin in allowed {
        args.extend(["--allow-outgoing", origin]);
    }
    Server::start(&args)
}

/// Returns what the guest responds with after one request to `url`.
fn relayed(url: &str, allowed: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    get(start(folder.path(), url, RELAYS, allowed).address, "/relay").text()
}

#[test]
fn requests_to_a_listed_origin_are_sent_and_responses_received() {
    let origin = Origin::responding(HELLO);
    assert_eq!(relayed(&origin.url(), &["https://other.example", &origin.origin()]), "200hello");
    let request = origin.requests.recv().unwrap();
    let expected = format!("GET /path?query HTTP/1.1\r\nhost: {}\r\n\r\n", origin.address);
    assert_eq!(request, expected);
}

#[test]
fn the_grant_is_shown_in_the_log_and_at_the_admin_listener() {
    let allowed = ["--allow-outgoing", "http://NTFY.sh:80", "--allow-outgoing", "http://ha.local=10.0.0.0/8"];
    let server = Server::start(&[&["--camera", "emulated"], &allowed[..]].concat());
    let line = "grants: outgoing requests to http://ntfy.sh http://ha.local=10.0.0.0/8";
    assert!(server.log().contains(line), "{}", server.log());
    let shown = &server.generations()["grants"]["outgoing"];
    assert_eq!(*shown, serde_json::json!(["http://ntfy.sh", "http://ha.local=10.0.0.0/8"]));
}

#[test]
fn requests_to_other_origins_are_denied() {
    let origin = Origin::responding(HELLO);
    let port = origin.address.port();
    for allowed in
        ["http://127.0.0.1".to_owned(), format!("https://127.0.0.1:{port}"), format!("http://127.0.0.2:{port}")]
    {
        assert_eq!(relayed(&origin.url(), &[&allowed]), HTTP_REQUEST_DENIED, "{allowed}");
    }
    assert!(origin.requests.try_recv().is_err());
}

#[test]
fn a_name_may_resolve_to_a_private_address_only_if_that_is_listed() {
    let origin = Origin::responding(HELLO);
    let url = format!("http://localhost:{}/", origin.address.port());
    let by_name = format!("http://localhost:{}", origin.address.port());
    let folder = tempfile::tempdir().unwrap();
    // The address as an origin does not make it an address of the name.
    let server = start(folder.path(), &url, RELAYS, &[&by_name, &origin.origin()]);
    assert_eq!(get(server.address, "/relay").text(), DESTINATION_IP_PROHIBITED);
    server.wait_for_log("is not public; allow it with --allow-outgoing http://localhost:");
    assert!(origin.requests.try_recv().is_err());
    for network in ["127.0.0.1", "127.0.0.0/8"] {
        assert_eq!(relayed(&url, &[&format!("{by_name}={network}")]), "200hello");
    }
    assert!(origin.requests.recv().unwrap().contains(&format!("host: localhost:{}\r\n", origin.address.port())));
}

#[test]
fn redirects_are_not_followed() {
    let other = Origin::responding(HELLO);
    let location = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 4\r\n\r\nmore", other.url());
    let origin = Origin::start(move |connection| connection.write_all(location.as_bytes()).unwrap());
    assert_eq!(relayed(&origin.url(), &[&origin.origin(), &other.origin()]), "302more");
    assert!(other.requests.try_recv().is_err());
}

#[test]
fn bodies_are_streamed_in_both_directions() {
    let (continue_sender, continue_receiver) = channel();
    let (received_sender, received) = channel();
    let continue_receiver = Mutex::new(continue_receiver);
    let origin = Origin::start(move |connection| {
        // The response starts before the body of the request has arrived.
        connection.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n").unwrap();
        continue_receiver.lock().unwrap().recv().unwrap();
        connection.write_all(b"3\r\ntwo\r\n0\r\n\r\n").unwrap();
        let mut rest = String::new();
        // The body may have arrived with the head; then nothing follows.
        let _ = connection.read_to_string(&mut rest);
        received_sender.send(rest).unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &origin.url(), POSTS, &[&origin.origin()]);
    let mut stream = Viewer::watch(server.address, "/post");
    let mut body = String::new();
    while body != "200one" {
        body.push_str(&String::from_utf8(stream.chunk()).unwrap());
        assert!("200one".starts_with(&body), "{body}");
    }
    continue_sender.send(()).unwrap();
    assert_eq!(stream.chunk(), b"two");
    let request = origin.requests.recv().unwrap() + &received.recv().unwrap();
    assert!(request.starts_with("POST /path?query HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("5\r\nbegun\r\n0\r\n\r\n"), "{request}");
}

#[test]
fn a_server_that_never_responds_or_pauses_is_given_up() {
    let silent = Origin::start(|connection| {
        let _ = connection.read(&mut [0]);
    });
    // The guest asks for half a second.
    assert_eq!(relayed(&silent.url(), &[&silent.origin()]), HTTP_RESPONSE_TIMEOUT);
    let pausing = Origin::start(|connection| {
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nh").unwrap();
        let _ = connection.read(&mut [0]);
    });
    assert_eq!(relayed(&pausing.url(), &[&pausing.origin()]), "200h failed");
}

#[test]
fn a_response_that_is_cut_off_is_an_error() {
    let origin = Origin::responding("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
    assert_eq!(relayed(&origin.url(), &[&origin.origin()]), "200hello failed");
}

#[test]
fn an_endless_body_ends_at_the_limit() {
    let origin = Origin::start(|connection| {
        let chunk = vec![b'x'; 64 << 10];
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while connection.write_all(&chunk).is_ok() {}
    });
    let body = relayed(&origin.url(), &[&origin.origin()]);
    let content = body.strip_prefix("200").and_then(|body| body.strip_suffix(" failed")).unwrap();
    assert!((31 << 20..=32 << 20).contains(&content.len()), "{}", content.len());
}

#[test]
fn a_head_that_is_too_large_is_an_error() {
    let origin = Origin::start(|connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nX-Long: ");
        while connection.write_all(&[b'x'; 1024]).is_ok() {}
    });
    assert_eq!(relayed(&origin.url(), &[&origin.origin()]), HTTP_RESPONSE_HEADER_SECTION_SIZE);
}

#[test]
fn an_instance_has_at_most_eight_requests_in_progress() {
    let origin = Origin::start(|connection| {
        let _ = connection.read(&mut [0]);
    });
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &origin.url(), SENDS_TEN_AT_ONCE, &[&origin.origin()]);
    assert_eq!(get(server.address, "/ten").text(), CONNECTION_LIMIT_REACHED);
    server.wait_for_log("was refused: the instance has 8 requests in progress");
}

#[test]
fn dropping_the_instance_aborts_its_requests() {
    let (sender, aborted) = channel();
    let origin = Origin::start(move |connection| {
        // Until the client closes the connection.
        let _ = connection.read(&mut [0]);
        sender.send(()).unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let function = "(func $misbehave (param $out i32) (drop (call $send_request (call $new_request)))
        (call $pause (i64.const 400)) unreachable)";
    let server = start(folder.path(), &origin.url(), function, &[&origin.origin()]);
    assert_eq!(get(server.address, "/drop").status, 502);
    aborted.recv_timeout(Duration::from_secs(10)).unwrap();
    drop(server);
}

#[test]
fn a_guest_that_sends_requests_in_a_loop_harms_only_itself() {
    // The guest that forgets its requests ends at once, and most requests with it.
    for (function, at_least) in [(SENDS_IN_A_LOOP, 100), (SENDS_AND_FORGETS, 0)] {
        let origin = Origin::responding(HELLO);
        let folder = tempfile::tempdir().unwrap();
        let server = start(folder.path(), &origin.url(), function, &[&origin.origin()]);
        thread::scope(|scope| {
            let loops: Vec<_> = (0..10).map(|_| scope.spawn(|| get(server.address, "/loop").status)).collect();
            // They would fail if they waited for as long as the loops last.
            while !loops.iter().all(thread::ScopedJoinHandle::is_finished) {
                assert_eq!(get(server.address, "/ok").text(), "ok\n");
                thread::yield_now();
            }
            for ended in loops {
                let status = ended.join().unwrap();
                assert!(matches!(status, 502 | 504), "{status}");
            }
        });
        // A burst of 100, and 20 per second.
        let sent = origin.requests.try_iter().count();
        assert!((at_least..=100 + 20 * 15).contains(&sent), "{sent}");
        // Every connection has ended.
        wait_until("the connections are closed", || !connections_to(server.pid()).contains(&origin.address.port()));
    }
}

#[test]
fn streams_keep_their_rate_while_requests_are_sent_in_loops() {
    let origin = Origin::responding(HELLO);
    let folder = tempfile::tempdir().unwrap();
    let guest = guest::write_publishing(folder.path(), &origin.url(), SENDS_IN_A_LOOP);
    let server = Server::start(&[
        "--camera",
        "emulated",
        "--guest",
        guest.to_str().unwrap(),
        "--answer-timeout",
        "10",
        "--allow-outgoing",
        &origin.origin(),
    ]);
    let mut viewer = Viewer::watch(server.address, "/stream");
    thread::scope(|scope| {
        let loops: Vec<_> = (0..20).map(|_| scope.spawn(|| get(server.address, "/loop").status)).collect();
        // Two seconds of the stream. The loops last ten.
        (0..50).for_each(|_| drop(viewer.chunk()));
        assert!(!loops.iter().any(thread::ScopedJoinHandle::is_finished), "the loops delay the stream");
        assert!(loops.into_iter().all(|ended| ended.join().unwrap() == 504));
    });
}

/// The remote ports of the established TCP connections over IPv4 of a process's network namespace, from
/// proc_net_tcp(5).
fn connections_to(pid: u32) -> Vec<u16> {
    const ESTABLISHED: &str = "01";
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let remote = |line: &str| {
        let mut fields = line.split_whitespace().skip(2);
        let (remote, state) = (fields.next()?, fields.next()?);
        let port = u16::from_str_radix(remote.rsplit_once(':')?.1, 16).ok()?;
        (state == ESTABLISHED).then_some(port)
    };
    table.lines().filter_map(remote).collect()
}

#[test]
fn https_servers_are_verified_with_the_certificates_of_the_system() {
    let origin = Origin::with_tls(HELLO);
    let port = origin.address.port();
    let ca = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serving/grants/outgoing/tls/ca.pem");
    let folder = tempfile::tempdir().unwrap();
    let relayed = |host: &str, authorities: &Path| {
        let url = format!("https://{host}:{port}/");
        let guest = guest::write(folder.path(), &url, RELAYS);
        let allowed = format!("https://localhost:{port}=127.0.0.1");
        let mut command = command();
        command.args(["--camera", "emulated", "--guest", guest.to_str().unwrap(), "--allow-outgoing", &allowed]);
        command.args(["--allow-outgoing", &format!("https://127.0.0.1:{port}")]);
        command.env("SSL_CERT_FILE", authorities).env_remove("SSL_CERT_DIR");
        let server = Server::start_command(command);
        (get(server.address, "/relay").text(), server)
    };
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(relayed(host, &ca).0, "200hello");
    }
    // An authority that has signed nothing.
    let (text, server) = relayed("localhost", &ca.with_file_name("other.pem"));
    assert_eq!(text, TLS_CERTIFICATE_ERROR);
    server.wait_for_log("invalid peer certificate");
}

#[test]
fn https_without_any_certificates_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let mut command = command();
    command.args(["--camera", "emulated", "--admin", "off", "--listen", "127.0.0.1:0"]);
    command.args(["--allow-outgoing", "https://ntfy.sh"]).env("SSL_CERT_FILE", &empty).env_remove("SSL_CERT_DIR");
    let output = hotshoe_test_support::server::end(command);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("install the package ca-certificates"), "{error}");
}
