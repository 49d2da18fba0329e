//! `/healthz` and `/readyz`, which the host answers itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use hotshoe_test_support::client::{Viewer, get, request, send};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{guests, wait_until};

#[test]
fn health_checks_are_answered_at_capacity_and_without_the_guest() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::NEVER_ANSWERS);
    let guest = guest.to_str().unwrap();
    let server = Server::start(&["--camera", "emulated", "--guest", guest, "--max-requests", "1"]);
    let address = server.address;
    // Takes the only place for requests until the answer timeout.
    let waiting = thread::spawn(move || get(address, "/bad").status);
    wait_until("the request has arrived", || {
        get(server.admin.unwrap(), "/status").json()["requests"]["in_progress"] == 1
    });
    assert_eq!(get(address, "/other").status, 503);
    for path in ["/healthz", "/readyz"] {
        let reply = get(address, path);
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{path}");
        assert_eq!(request(address, "HEAD", path).status, 200, "{path}");
    }
    assert_eq!(get(address, "/healthz").text(), "200 serving\n");
    assert!(!waiting.is_finished(), "the server was at capacity all the time");
}

#[test]
fn health_checks_need_no_token_but_a_host_name_of_this_server() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "0123456789abcdef").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start(&["--camera", "emulated", "--admin-token-file", token.to_str().unwrap()]);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(server.admin.unwrap(), path).status, 200, "{path}");
        assert_eq!(send(server.address, "GET", path, &[("Host", "evil.example")], b"").status, 421);
    }
    for path in ["/status", "/metrics"] {
        assert_eq!(get(server.admin.unwrap(), path).status, 401, "{path}");
    }
}

#[test]
fn readiness_includes_cameras_on_request() {
    let server = Server::start(&["--camera", "front=emulated", "--camera", "yard=/dev/video987"]);
    assert_eq!(get(server.address, "/readyz?cameras").status, 200, "nobody watches, so all cameras are closed");
    let _viewer = Viewer::watch(server.address, "/stream/yard");
    wait_until("the camera is lost", || get(server.address, "/readyz?cameras").status == 503);
    wait_until("the camera has a reason", || {
        get(server.address, "/readyz?cameras").text() == "503 1 of 2 cameras without a picture\n"
    });
    assert_eq!(get(server.address, "/readyz").status, 200);
    assert_eq!(get(server.address, "/healthz").status, 200);
}

#[test]
fn a_guest_that_has_failed_its_probation_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::TRAPS);
    let server = Server::start(&["--camera", "emulated", "--guest", guest.to_str().unwrap()]);
    assert_eq!(get(server.address, "/readyz").status, 200);
    for _ in 0..5 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    server.wait_for_log("there is no earlier guest to roll back to");
    let reply = get(server.address, "/readyz");
    assert_eq!((reply.status, reply.text()), (503, "503 the guest fails, see the server's log\n".to_owned()));
    assert_eq!(get(server.address, "/healthz").status, 200);
    assert_eq!(server.put_guest(&guests::built_in()).status, 200);
    assert_eq!(get(server.address, "/readyz").status, 200);
}
