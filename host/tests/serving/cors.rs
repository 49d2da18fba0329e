//! Which pages of other sites may read what is served.

use hotshoe_test_support::client::{Reply, Viewer, connect, send};
use hotshoe_test_support::server::{Server, run};

const CAMERA: [&str; 2] = ["--camera", "emulated,fps=20"];

fn server(origins: &[&str]) -> Server {
    let origins = origins.iter().flat_map(|origin| ["--allow-origin", origin]);
    Server::start(&CAMERA.into_iter().chain(origins).collect::<Vec<_>>())
}

fn granted(server: &Server, origin: &str, path: &str) -> Option<String> {
    let reply = send(server.address, "GET", path, &[("Origin", origin)], b"");
    reply.header("access-control-allow-origin").map(str::to_owned)
}

fn preflight(server: &Server, origin: &str) -> Reply {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "x-requested-with"),
    ];
    send(server.address, "OPTIONS", "/stream", &headers, b"")
}

#[test]
fn no_other_site_may_read_unless_it_was_said() {
    let server = server(&[]);
    assert_eq!(granted(&server, "http://a.example", "/snapshot"), None);
    let reply = preflight(&server, "http://a.example");
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, None));
    assert_eq!(reply.header("vary"), None);
}

#[test]
fn every_site_may_read_where_all_were_allowed() {
    let server = server(&["*"]);
    for path in ["/", "/snapshot", "/state", "/nothing"] {
        assert_eq!(granted(&server, "http://a.example", path).as_deref(), Some("*"), "{path}");
    }
    let stream = Viewer::watch_over(connect(server.address), "/video_feed");
    assert_eq!(stream.header("access-control-allow-origin"), Some("*"), "as mjpg-streamer: no Origin is needed");
    assert!(stream.header("access-control-expose-headers").unwrap().contains("X-Timestamp"));
}

#[test]
fn only_the_sites_that_were_named_may_read() {
    let server = server(&["http://printer.local", "https://Cam.example:8443"]);
    for origin in ["http://printer.local", "https://cam.example:8443"] {
        assert_eq!(granted(&server, origin, "/snapshot").as_deref(), Some(origin));
    }
    for other in ["https://printer.local", "http://printer.local:81", "http://printer.local.evil.example", "null"] {
        assert_eq!(granted(&server, other, "/snapshot"), None, "{other}");
        assert_eq!(preflight(&server, other).header("access-control-allow-origin"), None, "{other}");
    }
    let reply = send(server.address, "GET", "/snapshot", &[], b"");
    assert_eq!(reply.header("vary"), Some("Origin"), "caches must ask for each");
}

#[test]
fn a_page_that_asks_beforehand_is_told_what_it_may_send() {
    let server = server(&["http://printer.local"]);
    let reply = preflight(&server, "http://printer.local");
    assert_eq!(reply.status, 204);
    assert_eq!(reply.header("access-control-allow-origin"), Some("http://printer.local"));
    assert_eq!(reply.header("access-control-allow-methods"), Some("GET"));
    assert_eq!(reply.header("access-control-allow-headers"), Some("x-requested-with"));
}

#[test]
fn what_is_no_origin_is_refused_at_the_start() {
    for wrong in ["printer.local", "http://printer.local/", "http://a:99999"] {
        let output = run(["--allow-origin", wrong]);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains(&format!("`{wrong}` is not an origin; give one such as http://printer.local, or * for all")),
            "{said}"
        );
    }
}
