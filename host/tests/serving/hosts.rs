//! Host names that the server answers to, malformed requests, and security headers.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;

use hotshoe_test_support::client::{Reply, connect, get, raw_request, request, send};
use hotshoe_test_support::server::{Server, run};

const CAMERA: [&str; 2] = ["--camera", "emulated,fps=20"];

fn server(options: &[&str]) -> Server {
    Server::start(&[&CAMERA[..], options].concat())
}

fn with_host(address: SocketAddr, host: &str, path: &str) -> Reply {
    send(address, "GET", path, &[("Host", host)], b"")
}

#[test]
fn names_that_cannot_be_registered_are_served() {
    let server = server(&[]);
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for host in [
        "127.0.0.1",
        "127.0.0.1:5000",
        "192.168.1.7:5000",
        "[::1]:5000",
        "[fe80::1]",
        "localhost",
        "LocalHost:5000",
        "cam.localhost",
        "printer",
        "mjpgstreamer1",
        "octopi.local",
        "OCTOPI.LOCAL.:80",
        "cam.lan",
        "cam.home.arpa",
        "cam.internal",
        hostname.trim(),
    ] {
        assert_eq!(with_host(server.address, host, "/state").status, 200, "{host}");
        assert_eq!(with_host(server.admin.unwrap(), host, "/guest").status, 200, "{host}");
    }
}

#[test]
fn names_that_an_attacker_could_own_get_421() {
    let server = server(&[]);
    for host in [
        "evil.example",
        "evil.example:5000",
        "EVIL.example.",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "octopi.local.evil.example",
        "xn--bcher-kva.example",
    ] {
        for path in ["/", "/snapshot", "/video_feed", "/state", "/nothing"] {
            let reply = with_host(server.address, host, path);
            assert_eq!(reply.status, 421, "{host}{path}");
            assert!(reply.text().starts_with("421 ") && reply.text().contains("--allow-host"), "{}", reply.text());
            assert_eq!(reply.text().lines().count(), 1);
        }
        let reply = with_host(server.admin.unwrap(), host, "/guest");
        assert_eq!(reply.status, 421, "{host}");
        assert!(reply.text().contains("--allow-host"), "{}", reply.text());
    }
    server.wait_for_log("GET /snapshot: 421, this server does not answer to the host name evil.example; if it is yours, start the server with --allow-host evil.example");
    assert_eq!(server.capture_threads(), 0, "no camera was opened");
}

#[test]
fn forwarded_hosts_do_not_replace_the_host() {
    let server = server(&["--trusted-proxy", "127.0.0.1"]);
    for forwarded in [("X-Forwarded-Host", "localhost"), ("Forwarded", "host=localhost")] {
        let reply = send(server.address, "GET", "/state", &[("Host", "evil.example"), forwarded], b"");
        assert_eq!(reply.status, 421, "{forwarded:?}");
    }
}

#[test]
fn the_request_target_takes_precedence_over_the_host_header() {
    let server = server(&[]);
    let status = |target: &str, host: &str| {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        raw_request(server.address, head.as_bytes(), false).0.status
    };
    assert_eq!(status("http://evil.example/state", "localhost"), 421);
    assert_eq!(status("http://localhost/state", "evil.example"), 200);
    assert_eq!(status("http://user@localhost/state", "localhost"), 400);
}

#[test]
fn options_allow_more_names() {
    let server = server(&["--allow-host", "Cam.Example.com", "--allow-host", "*.example.org"]);
    for (host, status) in [
        ("cam.example.com", 200),
        ("CAM.example.com.:5000", 200),
        ("a.cam.example.com", 421),
        ("example.com", 421),
        ("a.b.example.org", 200),
        ("example.org", 421),
    ] {
        assert_eq!(with_host(server.address, host, "/state").status, status, "{host}");
        assert_eq!(with_host(server.admin.unwrap(), host, "/guest").status, status, "{host}");
    }
    let open = self::server(&["--allow-host", "*"]);
    assert_eq!(with_host(open.address, "evil.example", "/state").status, 200);
}

#[test]
fn invalid_names_and_proxies_are_usage_errors() {
    for invalid in ["http://cam.example.com", "cam.example.com:5000", "a.*.com", ""] {
        let output = run(["--allow-host", invalid]);
        assert_eq!(output.status.code(), Some(2), "{invalid}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(&format!("'{invalid}' for '--allow-host")), "{stderr}");
        assert!(stderr.contains("use a host name"), "{stderr}");
    }
    let output = run(["--trusted-proxy", "proxy.local"]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("'proxy.local' for '--trusted-proxy"), "{stderr}");
    assert!(stderr.contains("use an address such as"), "{stderr}");
}

#[test]
fn malformed_requests_get_400_and_the_reason() {
    let server = server(&[]);
    for (head, reason) in [
        ("GET / HTTP/1.1\r\n\r\n", "needs a Host header"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "more than one Host"),
        ("GET / HTTP/1.0\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", "more than one Host"),
        ("GET / HTTP/1.1\r\nHost: \r\n\r\n", "not a host"),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "not a host"),
        ("GET / HTTP/1.1\r\nHost: user@localhost\r\n\r\n", "not a host"),
        ("GET / HTTP/1.1\r\nHost: localhost:port\r\n\r\n", "not a host"),
        ("GET / HTTP/1.1\r\nHost: localhost:99999\r\n\r\n", "not a host"),
        ("GET / HTTP/1.1\r\nHost: http://localhost/\r\n\r\n", "not a host"),
        ("GET / HTTP/1.1\r\nHost: localhost, localhost\r\n\r\n", "not a host"),
        ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "not a host"),
        ("GET / HTTP/1.1\r\nHost: 256.0.0.1\r\n\r\n", "not a host"),
        ("GET localhost HTTP/1.1\r\nHost: localhost\r\n\r\n", "must begin with /"),
        ("GET\r\n\r\n", "not a well-formed"),
        ("\x01\x02\r\n\r\n", "not a well-formed"),
        ("GET / HTTP/3.0\r\n\r\n", "not a well-formed"),
        ("GET / HTTP/1.1\r\nHost\r\n\r\n", "not a well-formed"),
        ("GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", "not a well-formed"),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "not a well-formed"),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "not a well-formed"),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", "not a well-formed"),
        ("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "not a well-formed"),
    ] {
        for address in [server.address, server.admin.unwrap()] {
            let (reply, _) = raw_request(address, head.as_bytes(), false);
            assert_eq!(reply.status, 400, "{head:?}");
            assert!(reply.text().contains(reason), "{head:?}: {}", reply.text());
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{head:?}");
        }
    }
    let (reply, _) = raw_request(server.address, b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", false);
    assert_eq!((reply.status, reply.text().as_str()), (400, "400 the request target * is for OPTIONS only\n"));
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(9000));
    let (reply, _) = raw_request(server.address, long.as_bytes(), false);
    assert_eq!(reply.status, 431);
    assert!(reply.text().contains("the request's head is too large"), "{}", reply.text());
    let (reply, _) = raw_request(server.address, b"GET /state HTTP/1.0\r\n\r\n", false);
    assert_eq!(reply.status, 200, "HTTP/1.0 needs no Host");
}

/// A proxy in front of the server could find the end of such a request elsewhere (request smuggling). RFC 9112, section
/// 6.1, allows servers to believe `Transfer-Encoding` if they close the connection.
#[test]
fn nothing_is_answered_after_a_request_with_two_lengths() {
    let server = server(&[]);
    let smuggled = "GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for headers in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked", "0\r\n\r\n".len() + smuggled.len()),
        "transfer-encoding: chunked\r\nCONTENT-LENGTH: 0".into(),
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\nConnection: keep-alive".into(),
    ] {
        for address in [server.address, server.admin.unwrap()] {
            let mut stream = connect(address);
            let head = format!("POST /nothing HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n");
            write!(stream, "{smuggled}{head}0\r\n\r\n{smuggled}").unwrap();
            let mut replies = Vec::new();
            // The end may be a reset, because bytes are left unread.
            let _ = stream.read_to_end(&mut replies);
            let replies = String::from_utf8_lossy(&replies);
            assert_eq!(replies.matches("HTTP/1.1 ").count(), 2, "{headers}: {replies}");
        }
    }
}

#[test]
fn options_for_the_whole_server_lists_methods() {
    let server = server(&[]);
    let reply = request(server.address, "OPTIONS", "*");
    assert_eq!((reply.status, reply.header("allow")), (204, Some("GET, HEAD, OPTIONS, POST")));
    assert!(reply.body.is_empty());
}

#[test]
fn every_response_forbids_content_sniffing() {
    let server = server(&["--allow-control"]);
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/snapshot"),
        ("GET", "/state"),
        ("GET", "/log.csv"),
        ("GET", "/nothing"),
        ("POST", "/"),
        ("HEAD", "/video_feed"),
        ("OPTIONS", "*"),
        ("CONNECT", "example.com:443"),
    ] {
        let reply = request(server.address, method, path);
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{method} {path}");
    }
    let refused = with_host(server.address, "evil.example", "/");
    assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));
    for path in ["/guest", "/nothing"] {
        assert_eq!(get(server.admin.unwrap(), path).header("x-content-type-options"), Some("nosniff"));
    }
}

/// Returns all content security policies of a response.
fn policies(reply: &Reply) -> Vec<&str> {
    let policies = reply.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-security-policy"));
    policies.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn pages_with_controls_cannot_be_framed_by_other_sites() {
    let open = server(&[]);
    let page = get(open.address, "/");
    assert!(policies(&page).iter().all(|policy| !policy.contains("frame-ancestors")), "{:?}", page.headers);
    assert_eq!(page.header("x-frame-options"), None);

    let with_controls = server(&["--allow-control"]);
    let page = get(with_controls.address, "/");
    assert!(policies(&page).contains(&"frame-ancestors 'self'"), "{:?}", page.headers);
    assert_eq!(page.header("x-frame-options"), Some("SAMEORIGIN"));
    assert!(policies(&get(with_controls.address, "/snapshot")).is_empty(), "an image has no controls");

    let named = server(&["--allow-control", "--allow-origin", "http://mainsail.local"]);
    let page = get(named.address, "/");
    assert!(policies(&page).contains(&"frame-ancestors 'self' http://mainsail.local"), "{:?}", page.headers);
    assert_eq!(page.header("x-frame-options"), None, "it cannot name another origin");

    let any = server(&["--allow-control", "--allow-origin", "*"]);
    assert!(policies(&get(any.address, "/")).iter().all(|policy| !policy.contains("frame-ancestors")));
}
