//! Drivers that are replaced while their camera has viewers: by upload, by a watched file, and by SIGHUP.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use hotshoe_test_support::client::{Reply, Viewer, get, send};
use hotshoe_test_support::guests::{DRIVES, built_in, driver, driver_file, variant};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{built_in_pictures, wait_until};
use rustix::process::Signal;
use serde_json::Value;

use super::{serve, serve_and_watch, wait_for_picture};

pub(super) fn put_driver(server: &Server, camera: &str, component: &[u8]) -> Reply {
    send(server.admin.unwrap(), "PUT", &format!("/cameras/{camera}"), &[], component)
}

pub(super) fn report(server: &Server) -> Value {
    get(server.admin.unwrap(), "/cameras/front").json()
}

/// Receives parts until this picture arrives. All of them must be pictures with increasing numbers.
#[track_caller]
pub(super) fn wait_for_picture_without_outage(viewer: &mut Viewer, number: usize) {
    let mut last = viewer.part().sequence();
    wait_until(&format!("picture {number} arrives"), || {
        let part = viewer.part();
        assert_eq!(part.header("x-outage"), None);
        assert!(part.sequence() > last, "{} after {last}", part.sequence());
        last = part.sequence();
        part.jpeg == built_in_pictures()[number - 1]
    });
}

#[test]
fn an_uploaded_driver_takes_over_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &driver(DRIVES, 1));
    let mut viewers: Vec<_> = (0..3).map(|_| Viewer::watch(server.address, "/video_feed/front")).collect();
    viewers.iter_mut().for_each(|viewer| wait_for_picture(viewer, 1));
    assert_eq!(report(&server)["current"]["delivered"], true);
    for (generation, picture) in (2..).zip([2, 3, 1, 2]) {
        let reply = put_driver(&server, "front", &driver(DRIVES, picture));
        assert_eq!((reply.status, reply.json()["current"]["generation"].as_u64()), (200, Some(generation)));
        viewers.iter_mut().for_each(|viewer| wait_for_picture_without_outage(viewer, picture));
        // The driver before was told to end.
        server.wait_for_logs("camera front: driver stdout: closing", generation as usize - 1);
    }
    let log = server.wait_for_log("camera front: generation 5: driver the uploaded driver, sha256 ");
    let report = report(&server);
    assert!(log.contains(report["current"]["sha256"].as_str().unwrap()), "{report}");
    assert_eq!((&report["current"]["from"], &report["role"]), (&"the uploaded driver".into(), &"driver".into()));
    assert_eq!((report["previous"]["generation"].as_u64(), &report["refused"]), (Some(4), &Value::Null));
    assert_eq!(get(server.admin.unwrap(), "/cameras").json()[0], report);
    assert!(get(server.address, "/").text().contains("driver the uploaded driver"));

    let again = put_driver(&server, "front", &driver(DRIVES, 2));
    assert_eq!(again.json()["current"]["generation"], 5);
    server.wait_for_log("camera front: driver not replaced, generation 5 already runs this component");
    let rolled_back = send(server.admin.unwrap(), "POST", "/cameras/front/rollback", &[], b"");
    assert_eq!((rolled_back.status, rolled_back.json()["current"]["generation"].as_u64()), (200, Some(6)));
    viewers.iter_mut().for_each(|viewer| wait_for_picture_without_outage(viewer, 1));
    assert_eq!(server.capture_threads(), 1);
}

#[test]
fn what_cannot_be_a_driver_is_refused_and_the_current_one_continues() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut viewer) = serve_and_watch(folder.path(), &driver(DRIVES, 1));
    for (component, reason) in [
        (&b"text"[..], "the uploaded driver is not a WebAssembly component"),
        (&built_in(), "the uploaded driver imports what this host does not provide: hotshoe:camera/cameras@0.2.0"),
        (b"\0asm\x0d\0\x01\0", "the uploaded driver does not export hotshoe:camera/source"),
    ] {
        let reply = put_driver(&server, "front", component);
        assert_eq!(reply.status, 422, "{reason}");
        assert!(reply.json()["error"].as_str().unwrap().contains(reason), "{}", reply.text());
        server.wait_for_log(&format!("camera front: driver not replaced, generation 1 continues: {reason}"));
    }
    wait_for_picture_without_outage(&mut viewer, 1);
}

#[test]
fn only_cameras_with_a_driver_accept_uploads_and_only_with_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let (_, camera) = driver_file(folder.path(), &driver(DRIVES, 1));
    let token = folder.path().join("token");
    fs::write(&token, "0123456789abcdef0123\n").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let arguments =
        ["--camera", &camera, "--camera", "other=exec:false", "--admin-token-file", token.to_str().unwrap()];
    let server = Server::start(&arguments);
    let admin = server.admin.unwrap();
    let authorization = [("Authorization", "Bearer 0123456789abcdef0123")];
    let component = driver(DRIVES, 2);
    for (method, path) in [("GET", "/cameras"), ("PUT", "/cameras/front"), ("POST", "/cameras/front/rollback")] {
        assert_eq!(send(admin, method, path, &[], &component).status, 401, "{method} {path}");
        let from_a_page = [authorization[0], ("Origin", "http://evil.example")];
        assert_eq!(send(admin, method, path, &from_a_page, &component).status, 403, "{method} {path}");
    }
    for (method, path, status) in [
        ("PUT", "/cameras/other", 404),
        ("PUT", "/cameras/nowhere", 404),
        ("PUT", "/cameras/", 404),
        ("GET", "/cameras/other", 404),
        ("POST", "/cameras", 405),
        ("DELETE", "/cameras/front", 405),
        ("POST", "/cameras/front/rollback", 409),
        ("PUT", "/cameras/front", 200),
    ] {
        assert_eq!(send(admin, method, path, &authorization, &component).status, status, "{method} {path}");
    }
    let reports = send(admin, "GET", "/cameras", &authorization, b"").json();
    assert_eq!(reports.as_array().unwrap().len(), 1, "{reports}");
    assert_eq!(get(server.address, "/cameras").status, 404, "viewers have no access");
}

#[test]
fn a_watched_file_and_sighup_replace_a_driver() {
    let folder = tempfile::tempdir().unwrap();
    let (file, camera) = driver_file(folder.path(), &driver(DRIVES, 1));
    let server = Server::start(&["--camera", &camera, "--watch"]);
    server.wait_for_log(&format!("watching {}", file.display()));
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    wait_for_picture(&mut viewer, 1);
    driver_file(folder.path(), &driver(DRIVES, 2));
    wait_for_picture_without_outage(&mut viewer, 2);
    fs::write(&file, "text").unwrap();
    server.wait_for_log("camera front: driver not replaced, generation 2 continues: ");
    assert_eq!(put_driver(&server, "front", &variant(&driver(DRIVES, 3), 1)).status, 200);
    wait_for_picture_without_outage(&mut viewer, 3);
    driver_file(folder.path(), &driver(DRIVES, 1));
    wait_for_picture_without_outage(&mut viewer, 1);
    assert_eq!(put_driver(&server, "front", &driver(DRIVES, 3)).status, 200);
    wait_for_picture_without_outage(&mut viewer, 3);
    server.signal(Signal::HUP);
    wait_for_picture_without_outage(&mut viewer, 1);
    server.wait_for_log("received SIGHUP, reloading configuration, guest, middleware, drivers and filters");
    assert_eq!(server.generation(), 1, "the guest has not changed");
}
