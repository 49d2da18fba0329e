//! CORS: pages of which sites may read responses.

use hotshoe_test_support::client::{Reply, Viewer, connect, send};
use hotshoe_test_support::server::{Server, run};

const CAMERA: [&str; 2] = ["--camera", "emulated,fps=20"];

fn server(origins: &[&str]) -> Server {
    let origins = origins.iter().flat_map(|origin| ["--allow-origin", origin]);
    Server::start(&CAMERA.into_iter().chain(origins).collect::<Vec<_>>())
}

/// Returns `Access-Control-Allow-Origin` of the response to a page of this origin.
fn allowed_origin(server: &Server, origin: &str, path: &str) -> Option<String> {
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
fn no_other_site_may_read_by_default() {
    let server = server(&[]);
    assert_eq!(allowed_origin(&server, "http://a.example", "/snapshot"), None);
    let reply = preflight(&server, "http://a.example");
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, None));
    assert_eq!(reply.header("vary"), None);
}

#[test]
fn a_star_lets_every_site_read() {
    let server = server(&["*"]);
    for path in ["/", "/snapshot", "/state", "/nothing"] {
        assert_eq!(allowed_origin(&server, "http://a.example", path).as_deref(), Some("*"), "{path}");
    }
    let stream = Viewer::watch_over(connect(server.address), "/video_feed");
    assert_eq!(stream.header("access-control-allow-origin"), Some("*"), "also without Origin, as mjpg-streamer does");
    assert!(stream.header("access-control-expose-headers").unwrap().contains("X-Timestamp"));
}

#[test]
fn only_named_sites_may_read() {
    let server = server(&["http://printer.local", "https://Cam.example:8443"]);
    for origin in ["http://printer.local", "https://cam.example:8443"] {
        assert_eq!(allowed_origin(&server, origin, "/snapshot").as_deref(), Some(origin));
    }
    for other in ["https://printer.local", "http://printer.local:81", "http://printer.local.evil.example", "null"] {
        assert_eq!(allowed_origin(&server, other, "/snapshot"), None, "{other}");
        assert_eq!(preflight(&server, other).header("access-control-allow-origin"), None, "{other}");
    }
    let reply = send(server.address, "GET", "/snapshot", &[], b"");
    assert_eq!(reply.header("vary"), Some("Origin"), "caches must not reuse the response for another origin");
}

#[test]
fn a_preflight_allows_the_requested_method_and_headers() {
    let server = server(&["http://printer.local"]);
    let reply = preflight(&server, "http://printer.local");
    assert_eq!(reply.status, 204);
    assert_eq!(reply.header("access-control-allow-origin"), Some("http://printer.local"));
    assert_eq!(reply.header("access-control-allow-methods"), Some("GET"));
    assert_eq!(reply.header("access-control-allow-headers"), Some("x-requested-with"));
}

#[test]
fn an_invalid_origin_is_a_usage_error() {
    for invalid in ["printer.local", "http://printer.local/", "http://a:99999"] {
        let output = run(["--allow-origin", invalid]);
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(&format!("'{invalid}' for '--allow-origin")), "{stderr}");
        assert!(stderr.contains("such as http://printer.local, or * for all"), "{stderr}");
    }
}
