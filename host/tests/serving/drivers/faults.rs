//! The rows of the fault table in `docs/cameras.md`, for drivers.

use std::fs;

use hotshoe_test_support::client::Viewer;
use hotshoe_test_support::guests::{
    CORRUPTS, CORRUPTS_EVERY_SECOND, DRIVES, FALLS_SILENT, REPORTS, RETURNS, TRAPS_AFTER_PICTURES, TRUNCATES, driver,
    driver_file,
};
use hotshoe_test_support::server::Server;

use super::swapping::put_driver;
use super::{serve, serve_and_watch, wait_for_picture, wait_for_reason};

#[test]
fn a_missing_driver_is_an_outage_until_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (file, camera) = driver_file(folder.path(), &driver(DRIVES, 1));
    fs::remove_file(&file).unwrap();
    let server = Server::start(&["--camera", &camera]);
    server.wait_for_log("camera front: cannot read the driver ");
    wait_for_reason(&server, "cannot read the driver ");
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let outage = viewer.part().header("x-outage").unwrap().to_owned();
    assert!(outage.starts_with("not-found"), "{outage}");
    driver_file(folder.path(), &driver(DRIVES, 1));
    wait_for_picture(&mut viewer, 1);
}

#[test]
fn a_driver_that_dies_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut viewer) = serve_and_watch(folder.path(), &driver(TRAPS_AFTER_PICTURES, 1));
    let log = server.wait_for_log("(retrying)");
    assert!(log.contains("driver.wasm trapped: wasm trap: wasm `unreachable` instruction executed"), "{log}");
    // The placeholder, and then the restarted driver.
    while viewer.part().header("x-outage").is_none() {}
    wait_for_picture(&mut viewer, 1);
}

#[test]
fn what_a_driver_reports_is_what_viewers_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &driver(REPORTS, 1));
    wait_for_reason(&server, "the lens cap is on");
    server.wait_for_log("camera front: the lens cap is on (retrying)");
}

#[test]
fn a_driver_that_returns_is_an_outage() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &driver(RETURNS, 1));
    wait_for_reason(&server, "driver.wasm has returned although the camera is open");
}

#[test]
fn a_silent_driver_is_an_outage_after_three_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut viewer) = serve_and_watch(folder.path(), &driver(FALLS_SILENT, 1));
    server.wait_for_log("driver.wasm delivered no picture for 3 seconds (retrying)");
    while viewer.part().header("x-outage").is_none() {}
}

#[test]
fn damaged_pictures_of_a_driver_are_dropped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &driver(TRUNCATES, 1));
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let picture = &hotshoe_test_support::built_in_pictures()[0];
    for _ in 0..20 {
        assert_eq!(viewer.part().jpeg, *picture);
    }
    drop(viewer);
    let closed = server.wait_for_log("camera front: closed, no viewers left; ");
    assert!(closed.contains(" malformed"), "{closed}");
    assert!(!server.log().contains("driver stdout: closing"), "a truncated picture was accepted: {}", server.log());
}

#[test]
fn a_driver_whose_pictures_all_look_damaged_does_not_decide_how_those_of_another_one_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &driver(CORRUPTS, 1));
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    // A camera that violates the standard is better than none.
    server.wait_for_log("forwarding them unchecked");
    let picture = &hotshoe_test_support::built_in_pictures()[1];
    assert_eq!(put_driver(&server, "front", &driver(CORRUPTS_EVERY_SECOND, 2)).status, 200);
    wait_for_picture(&mut viewer, 2);
    for _ in 0..20 {
        assert!(viewer.part().jpeg == *picture, "a damaged picture was delivered");
    }
}

#[test]
fn a_slow_driver_is_not_an_outage_with_its_rate() {
    let folder = tempfile::tempdir().unwrap();
    let slow = "(loop $again (drop (call $push (global.get $picture) (global.get $length)))
        (call $pause (i64.const 3500)) (br $again))";
    let (_, camera) = driver_file(folder.path(), &driver(slow, 1));
    let server = Server::start(&["--camera", &format!("{camera},fps=0.3")]);
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let picture = &hotshoe_test_support::built_in_pictures()[0];
    let numbers: Vec<_> = (0..2).map(|_| viewer.part()).map(|part| (part.jpeg == *picture, part.sequence())).collect();
    assert!(numbers.iter().all(|(is_picture, _)| *is_picture), "{numbers:?}");
    assert!(!server.log().contains("(retrying)"), "{}", server.log());
}
