//! Cross-site request forgery: requests with side effects from pages of other sites.

use hotshoe_test_support::client::{request, send};
use hotshoe_test_support::server::Server;

const CONTROLS: [&str; 3] = ["--camera", "emulated", "--allow-control"];

fn server(options: &[&str]) -> Server {
    Server::start(&[&CONTROLS[..], options].concat())
}

/// Posts a control with these headers, and returns the status. The value `own` stands for the server's origin.
fn post(server: &Server, headers: &[(&str, &str)]) -> u16 {
    let own = format!("http://{}", server.address);
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (*name, if *value == "own" { own.as_str() } else { *value })).collect();
    let reply = send(server.address, "POST", "/controls", &headers, b"pause=0");
    if reply.status == 403 {
        assert!(reply.text().starts_with("403 ") && reply.text().contains("--allow-origin"), "{}", reply.text());
    }
    reply.status
}

#[test]
fn only_pages_of_the_server_and_programs_set_controls() {
    let server = server(&[]);
    for (headers, status) in [
        (&[][..], 200),
        (&[("Origin", "own")], 200),
        (&[("Sec-Fetch-Site", "same-origin"), ("Origin", "own")], 200),
        (&[("Sec-Fetch-Site", "none")], 200),
        (&[("Origin", "http://evil.example")], 403),
        (&[("Origin", "null")], 403),
        (&[("Origin", "http://127.0.0.1")], 403),
        (&[("Sec-Fetch-Site", "cross-site")], 403),
        (&[("Sec-Fetch-Site", "same-site"), ("Origin", "own")], 403),
        (&[("Sec-Fetch-Site", "cross-site"), ("Origin", "http://evil.example")], 403),
        (&[("Origin", "http://evil.example"), ("X-Requested-With", "hotshoe")], 403),
    ] {
        assert_eq!(post(&server, headers), status, "{headers:?}");
    }
    for method in ["PUT", "DELETE", "PATCH", "BREW"] {
        let headers = [("Sec-Fetch-Site", "cross-site")];
        assert_eq!(send(server.address, method, "/", &headers, b"").status, 403, "{method}");
    }
    let image = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Dest", "image")];
    assert_eq!(
        send(server.address, "GET", "/snapshot", &image, b"").status,
        200,
        "pages of other sites may show images"
    );
    server.wait_for_log("POST /controls: 403, pages of http://evil.example may not do this");
}

#[test]
fn allowed_origins_set_controls() {
    let server = server(&["--allow-origin", "http://mainsail.local"]);
    assert_eq!(post(&server, &[("Origin", "http://mainsail.local"), ("Sec-Fetch-Site", "cross-site")]), 200);
    assert_eq!(post(&server, &[("Origin", "http://other.local"), ("Sec-Fetch-Site", "cross-site")]), 403);
    let any = self::server(&["--allow-origin", "*"]);
    assert_eq!(post(&any, &[("Origin", "http://other.local"), ("Sec-Fetch-Site", "cross-site")]), 200);
    any.wait_for_log("lets every web page that a viewer opens set camera controls");
}

#[test]
fn only_trusted_proxies_can_forward_the_host() {
    let page = [("Origin", "https://cam.example.com"), ("X-Forwarded-Host", "cam.example.com")];
    let standard =
        [("Origin", "https://cam.example.com"), ("Forwarded", "for=10.0.0.9;host=cam.example.com;proto=https")];
    let forged = [("Origin", "http://evil.example"), ("X-Forwarded-Host", "cam.example.com")];
    let insecure = [page[0], page[1], ("X-Forwarded-Proto", "http")];
    for (options, trusted) in [
        (&[][..], true),
        (&["--trusted-proxy", "127.0.0.1"], true),
        (&["--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "127.0.0.0/8"], true),
        (&["--trusted-proxy", "10.0.0.0/8"], false),
        (&["--trusted-proxy", "none"], false),
    ] {
        let server = server(options);
        let expected = if trusted { 200 } else { 403 };
        assert_eq!(post(&server, &page), expected, "{options:?}");
        assert_eq!(post(&server, &standard), expected, "{options:?}");
        assert_eq!(post(&server, &forged), 403, "{options:?}");
        assert_eq!(post(&server, &insecure), 403, "{options:?}");
    }
}

#[test]
fn requests_are_rejected_before_any_guest_sees_them() {
    use hotshoe_test_support::guests;
    let server = server(&[]);
    assert_eq!(server.put_guest(&guests::serving(guests::TRAPS)).status, 200);
    let reply = send(server.address, "POST", "/anything", &[("Origin", "http://evil.example")], b"");
    assert_eq!(reply.status, 403, "{}", reply.text());
    assert_eq!(request(server.address, "POST", "/anything").status, 502, "the guest traps on what reaches it");
}
