//! Drivers that misbehave harm only themselves: the other camera streams, and the reason becomes the outage.

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::guests::{
    FLOODS, HOARDS_MEMORY_AS_A_DRIVER, LEAKS_TIMERS, PUSHES_ALL_MEMORY, PUSHES_TOO_MUCH, SPINS_AFTER_A_PICTURE,
    TRAPS_WITHOUT_A_PICTURE, driver,
};
use hotshoe_test_support::wait_until;

use super::{serve, serve_and_watch, wait_for_picture, wait_for_reason};

/// Checks that this driver becomes an outage with this reason while the other camera streams.
#[track_caller]
fn check(instructions: &str, reason: &str) {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &driver(instructions, 1));
    let mut other = Viewer::watch(server.address, "/video_feed/other");
    other.part();
    let _viewer = Viewer::watch(server.address, "/video_feed/front");
    wait_for_reason(&server, reason);
    let last = other.part().sequence();
    for _ in 0..5 {
        other.part();
    }
    assert!(other.part().sequence() > last);
    assert_eq!(get(server.address, "/").status, 200);
}

#[test]
fn a_driver_that_traps_at_once_harms_only_itself() {
    check(TRAPS_WITHOUT_A_PICTURE, "trapped: wasm trap: wasm `unreachable` instruction executed");
}

#[test]
fn a_driver_that_computes_forever_harms_only_itself() {
    check(SPINS_AFTER_A_PICTURE, "delivered no picture for 3 seconds; it computes without waiting for anything");
}

#[test]
fn a_driver_that_takes_all_memory_harms_only_itself() {
    check(HOARDS_MEMORY_AS_A_DRIVER, "trapped: wasm trap: wasm `unreachable` instruction executed");
}

#[test]
fn a_driver_that_leaks_resources_harms_only_itself() {
    check(LEAKS_TIMERS, "trapped: resource table has no free keys");
}

#[test]
fn a_driver_that_passes_all_its_memory_harms_only_itself() {
    check(PUSHES_ALL_MEMORY, "fuel allocated for hostcalls has been exhausted");
}

#[test]
fn an_image_that_is_too_large_is_refused_and_the_driver_continues() {
    let folder = tempfile::tempdir().unwrap();
    let (server, viewer) = serve_and_watch(folder.path(), &driver(PUSHES_TOO_MUCH, 1));
    drop(viewer);
    let closed = server.wait_for_log("camera front: closed, no viewers left; ");
    assert!(closed.contains("1 malformed"), "{closed}");
}

#[test]
fn a_driver_that_pushes_without_a_pause_is_throttled_and_its_camera_closes() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &driver(FLOODS, 1));
    let mut other = Viewer::watch(server.address, "/video_feed/other");
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    for _ in 0..20 {
        wait_for_picture(&mut viewer, 1);
        other.part();
    }
    drop(viewer);
    let closed = server.wait_for_log("camera front: closed, no viewers left; ");
    assert!(closed.contains(" late"), "{closed}");
    // It never looks whether the camera closes, so it was ended.
    wait_until("the capture thread ends", || server.capture_threads() == 1);
}
