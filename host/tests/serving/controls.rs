//! `/controls`: reading and setting controls over HTTP.

use hotshoe_test_support::client::{Reply, Viewer, get, raw_request, request, send};
use hotshoe_test_support::server::Server;
use serde_json::json;

fn post(server: &Server, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    send(server.address, "POST", path, headers, body.as_bytes())
}

#[test]
fn controls_are_listed_and_set() {
    let server = Server::start(&["--camera", "a=emulated", "--camera", "b=emulated", "--allow-control"]);
    let controls = |path| get(server.address, path).json();
    let pause = |value| {
        json!({"controls": [{
            "name": "pause", "label": "Pause", "kind": "boolean", "value": value, "default": 0,
            "read_only": false, "inactive": false,
        }]})
    };
    assert_eq!(controls("/controls"), pause(0));
    let reply = post(&server, "/controls/b", &[], "pause=1");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    assert_eq!(reply.json(), pause(1));
    assert_eq!(controls("/controls/b"), pause(1));
    assert_eq!(controls("/controls/a"), pause(0), "the other camera is unchanged");
    server.wait_for_log("camera b: set pause to 1");
}

#[test]
fn values_take_effect_and_survive_closing_the_camera() {
    let server = Server::start(&["--camera", "emulated,fps=20", "--linger", "0", "--allow-control"]);
    let is_moving = || {
        let mut viewer = Viewer::watch(server.address, "/video_feed");
        let pictures: Vec<_> = (0..6).map(|_| viewer.part().jpeg).collect();
        drop(viewer);
        pictures.iter().any(|picture| *picture != pictures[0])
    };
    assert!(is_moving());
    server.wait_for_log("closed");
    assert_eq!(post(&server, "/controls", &[], "pause=1").status, 200);
    assert!(!is_moving());
    server.wait_for_logs("closed", 2);
    assert!(!is_moving());
}

#[test]
fn controls_can_be_set_on_the_command_line() {
    let server = Server::start(&["--camera", "emulated,fps=20,control=pause:1", "--allow-control"]);
    assert_eq!(get(server.address, "/controls").json()["controls"][0]["value"], 1);
}

#[test]
fn controls_are_off_by_default() {
    let server = Server::start(&["--camera", "emulated"]);
    for reply in [get(server.address, "/controls"), post(&server, "/controls", &[], "pause=1")] {
        assert_eq!(reply.status, 403);
        assert!(reply.text().contains("--allow-control"), "{}", reply.text());
    }
}

#[test]
fn invalid_settings_are_refused_with_the_reason() {
    let server = Server::start(&["--camera", "emulated", "--allow-control"]);
    for (body, status, reason) in [
        ("focus=1", 404, "there is no control `focus`; available: pause"),
        ("pause=2", 400, "`pause` cannot be 2; valid: 0 or 1"),
        ("pause", 400, "brightness=128"),
        ("{}", 400, "brightness=128"),
        ("", 400, "brightness=128"),
    ] {
        let reply = post(&server, "/controls", &[], body);
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
        assert!(reply.text().contains(reason), "{body}: {}", reply.text());
    }
    assert_eq!(post(&server, "/controls", &[], &"pause=1&".repeat(10_000)).status, 413);
    for (body, status) in [
        ("7\r\npause=0\r\n0\r\n\r\n", 200),
        ("x\r\npause=1\r\n0\r\n\r\n", 400),
        ("7\r\npause=1XX0\r\n\r\n", 400),
        ("-7\r\npause=1\r\n0\r\n\r\n", 400),
        ("fffffffffffffffffff\r\npause=1\r\n0\r\n\r\n", 400),
    ] {
        let head = "POST /controls HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        let (reply, _) = raw_request(server.address, format!("{head}{body}").as_bytes(), false);
        assert_eq!(reply.status, status, "{body:?}: {}", reply.text());
    }
    assert_eq!(post(&server, "/controls/nobody", &[], "pause=1").status, 404);
    assert_eq!(post(&server, "/", &[], "pause=1").status, 405);
    assert_eq!(request(server.address, "HEAD", "/controls").status, 200);
    assert_eq!(get(server.address, "/controls").json()["controls"][0]["value"], 0, "no invalid request has an effect");
}

#[test]
fn pages_of_other_sites_cannot_set_controls() {
    let server = Server::start(&["--camera", "emulated", "--allow-control"]);
    for origin in ["http://evil.example", "null", "http://127.0.0.1"] {
        let reply = post(&server, "/controls", &[("Origin", origin)], "pause=1");
        assert_eq!(reply.status, 403, "{origin}");
    }
    let own = format!("http://{}", server.address);
    assert_eq!(post(&server, "/controls", &[("Origin", &own)], "pause=1").status, 200);
}
