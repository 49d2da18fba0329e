//! Filters that the admin listener replaces while their camera has viewers.

use hotshoe_test_support::client::{Reply, Viewer, get, send};
use hotshoe_test_support::guests::{DRIVES, MASKS_ALWAYS, TRAPS_AT_ONCE, built_in, driver, masking, variant};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;
use serde_json::Value;

use super::{Seen, Setup, check};

fn put(server: &Server, path: &str, component: &[u8]) -> Reply {
    send(server.admin.unwrap(), "PUT", path, &[], component)
}

fn report(server: &Server, path: &str) -> Value {
    get(server.admin.unwrap(), path).json()
}

/// Receives parts until the filters have been compiled, which takes long on a busy machine.
fn wait_until_masked(viewer: &mut Viewer) {
    wait_until("the filters are compiled", || check(&viewer.part().jpeg) == Seen::Masked);
}

/// Receives parts until this generation of a filter has returned a frame. All of them must be masked.
#[track_caller]
fn wait_for_generation(server: &Server, viewer: &mut Viewer, path: &str, generation: u64) {
    wait_until(&format!("generation {generation} of {path} filters"), || {
        let part = viewer.part();
        assert_eq!((part.header("x-outage"), check(&part.jpeg)), (None, Seen::Masked));
        let current = &report(server, path)["current"];
        current["generation"] == generation && current["delivered"] == true
    });
}

#[test]
fn an_uploaded_filter_takes_over_without_a_gap_and_a_failed_one_is_rolled_back() {
    let setup = Setup::with_second(&masking(MASKS_ALWAYS));
    let server = &setup.server;
    let mut viewer = Viewer::watch(server.address, "/stream");
    wait_until_masked(&mut viewer);
    for (number, path) in ["/cameras/front/filters/1", "/cameras/front/filters/2"].into_iter().enumerate() {
        wait_for_generation(server, &mut viewer, path, 1);
        let replaced = put(server, path, &variant(&masking(MASKS_ALWAYS), 1));
        assert_eq!((replaced.status, &replaced.json()["current"]["generation"]), (200, &2.into()));
        wait_for_generation(server, &mut viewer, path, 2);

        assert_eq!(put(server, path, &masking(TRAPS_AT_ONCE)).status, 200, "it fails later");
        wait_for_generation(server, &mut viewer, path, 4);
        let report = report(server, path);
        let reason = report["refused"]["reason"].as_str().unwrap();
        assert!(reason.starts_with("the uploaded filter trapped: ") && reason.contains("first picture"), "{reason}");
        assert_eq!(report["current"]["from"], "the uploaded filter", "{report}");

        let rolled_back = send(server.admin.unwrap(), "POST", &format!("{path}/rollback"), &[], b"");
        assert_eq!((rolled_back.status, &rolled_back.json()["current"]["generation"]), (200, &5.into()));
        wait_for_generation(server, &mut viewer, path, 5);
        server.wait_for_log(&format!("camera front: filter {}: rolling back from generation 4", number + 1));
    }
    let all = report(server, "/cameras");
    let paths: Vec<_> = all.as_array().unwrap().iter().map(|report| report["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/cameras/front/filters/1", "/cameras/front/filters/2"]);
    assert_eq!((&all[0]["role"], &all[1]["number"]), (&"filter".into(), &2.into()));
    assert_eq!(report(server, "/cameras/front/filters"), all);
}

#[test]
fn what_cannot_be_a_filter_is_refused_and_the_current_one_continues() {
    let setup = Setup::new(&masking(MASKS_ALWAYS), ",fps=30");
    let (server, path) = (&setup.server, "/cameras/front/filters/1");
    let mut viewer = Viewer::watch(server.address, "/stream");
    wait_until_masked(&mut viewer);
    for (component, reason) in [
        (&b"text"[..], "the uploaded filter is not a WebAssembly component"),
        (&built_in(), "the uploaded filter does not export hotshoe:camera/filter, so it cannot filter a camera"),
        (
            &driver(DRIVES, 1),
            "the uploaded filter imports what this host does not provide: hotshoe:camera/capture@0.2.0",
        ),
    ] {
        let reply = put(server, path, component);
        assert_eq!(reply.status, 422, "{reason}");
        assert!(reply.json()["error"].as_str().unwrap().contains(reason), "{}", reply.text());
        server.wait_for_log(&format!("camera front: filter 1 not replaced, generation 1 continues: {reason}"));
    }
    wait_for_generation(server, &mut viewer, path, 1);
    for (method, path, status, reason) in [
        ("PUT", "/cameras/front", 404, "this camera has no driver; its filter is /cameras/front/filters/1"),
        ("PUT", "/cameras/front/filters/2", 404, "its filter is /cameras/front/filters/1"),
        ("PUT", "/cameras/front/filters/0", 404, "its filter is /cameras/front/filters/1"),
        ("PUT", "/cameras/front/filters/mask.wasm", 404, "its filter is /cameras/front/filters/1"),
        ("POST", "/cameras/front/filters/rollback", 404, "its filter is /cameras/front/filters/1"),
        ("PUT", "/cameras/nowhere/filters/1", 404, "no camera with this name has a filter"),
        ("GET", "/cameras/nowhere/filters", 404, "no camera with this name has a filter"),
        ("PUT", "/cameras/front/filters", 405, "allowed methods: GET, HEAD"),
        ("DELETE", "/cameras/front/filters/1", 405, "allowed methods: GET, HEAD, PUT"),
        ("GET", "/cameras/front/filters/1/rollback", 405, "allowed methods: POST"),
        ("POST", "/cameras/front/filters/1/rollback", 409, "there is no earlier filter to roll back to"),
    ] {
        let reply = send(server.admin.unwrap(), method, path, &[], &masking(MASKS_ALWAYS));
        let error = reply.json()["error"].as_str().unwrap().to_owned();
        assert!(reply.status == status && error.starts_with(reason), "{method} {path}: {} {error}", reply.status);
    }
}
