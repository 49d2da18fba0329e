//! Drivers that fail before their first picture. Whoever watches the camera notices nothing.

use std::fs;

use hotshoe_test_support::client::{Viewer, send};
use hotshoe_test_support::guests::{
    DRIVES, REPORTS, RETURNS, SILENT_DRIVER, TRAPS_WITHOUT_A_PICTURE, TRUNCATES_AND_TRAPS, driver, driver_file,
    driver_that_a_file_breaks,
};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{built_in_pictures, wait_until};

use super::swapping::{put_driver, report, wait_for_picture_without_outage};
use super::{serve, serve_and_watch, wait_for_picture};

/// Waits until this many drivers were rolled back, and returns what the log says about the last one.
fn wait_for_rollback(server: &Server, count: usize) -> String {
    server.wait_for_logs("before its first picture; rolling back to that of generation ", count)
}

#[test]
fn a_driver_that_fails_before_its_first_picture_is_rolled_back_and_viewers_notice_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut viewer) = serve_and_watch(folder.path(), &driver(DRIVES, 1));
    for (count, (instructions, reason)) in (1..).zip([
        (TRAPS_WITHOUT_A_PICTURE, "trapped: wasm trap: wasm `unreachable` instruction executed"),
        (REPORTS, "reported: the lens cap is on"),
        (RETURNS, "has returned although the camera is open"),
    ]) {
        assert_eq!(put_driver(&server, "front", &driver(instructions, 2)).status, 200);
        let log = wait_for_rollback(&server, count);
        assert!(log.contains(reason), "{log}");
        let report = report(&server);
        assert!(report["refused"]["reason"].as_str().unwrap().contains(reason), "{report}");
        assert!(report["current"]["from"].as_str().unwrap().ends_with("driver.wasm"), "{report}");
        for _ in 0..5 {
            wait_for_picture_without_outage(&mut viewer, 1);
        }
    }
    assert!(!server.log().contains("(retrying)"), "{}", server.log());
    assert_eq!(put_driver(&server, "front", &driver(DRIVES, 3)).status, 200);
    wait_for_picture_without_outage(&mut viewer, 3);
}

#[test]
fn a_driver_that_was_uploaded_while_the_camera_was_closed_is_rolled_back_when_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &driver(DRIVES, 1));
    server.wait_for_log("camera front: generation 1: driver ");
    assert_eq!(put_driver(&server, "front", &driver(DRIVES, 2)).status, 200);
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    assert_eq!(viewer.part().jpeg, built_in_pictures()[1]);
    drop(viewer);
    server.wait_for_log("camera front: closed, no viewers left; ");
    assert_eq!(put_driver(&server, "front", &driver(TRAPS_WITHOUT_A_PICTURE, 3)).status, 200);
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    assert_eq!(viewer.part().jpeg, built_in_pictures()[1]);
    server.wait_for_log("before its first picture; rolling back to that of generation 2");
}

#[test]
fn a_driver_that_has_worked_before_and_fails_at_its_return_is_rolled_back_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let fragile = driver_that_a_file_breaks(1);
    let (_, camera) = driver_file(folder.path(), &fragile);
    let files = folder.path().join("files");
    fs::create_dir(&files).unwrap();
    let server = Server::start(&["--camera", &format!("{camera},dir={}", files.display())]);
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    wait_for_picture(&mut viewer, 1);
    assert_eq!(put_driver(&server, "front", &driver(DRIVES, 2)).status, 200);
    wait_for_picture_without_outage(&mut viewer, 2);
    fs::write(files.join("broken"), "").unwrap();
    let reason = "trapped: wasm trap: wasm `unreachable` instruction executed";
    // By a rollback, and then by an upload of the same component.
    assert_eq!(send(server.admin.unwrap(), "POST", "/cameras/front/rollback", &[], b"").status, 200);
    for count in 1..=2 {
        let log = wait_for_rollback(&server, count);
        assert!(log.contains(reason), "{log}");
        wait_for_picture_without_outage(&mut viewer, 2);
        wait_until("the driver that runs is current", || report(&server)["current"]["delivered"] == true);
        let report = report(&server);
        assert_eq!(report["current"]["from"], "the uploaded driver", "{report}");
        assert!(report["refused"]["reason"].as_str().unwrap().contains(reason), "{report}");
        if count == 1 {
            assert_eq!(put_driver(&server, "front", &fragile).status, 200);
        }
    }
    // A driver that has delivered a picture since it was installed is never rolled back.
    drop(viewer);
    fs::remove_file(files.join("broken")).unwrap();
    assert_eq!(put_driver(&server, "front", &fragile).status, 200);
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    wait_for_picture(&mut viewer, 1);
}

#[test]
fn a_new_driver_that_stays_silent_is_rolled_back_after_ten_seconds_even_behind_another_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut viewer) = serve_and_watch(folder.path(), &driver(DRIVES, 1));
    assert_eq!(put_driver(&server, "front", &driver(SILENT_DRIVER, 2)).status, 200);
    server.wait_for_log("camera front: generation 2: driver ");
    // The next one takes over although the one before it has delivered nothing.
    assert_eq!(put_driver(&server, "front", &driver(DRIVES, 3)).status, 200);
    wait_for_picture_without_outage(&mut viewer, 3);
    assert_eq!(put_driver(&server, "front", &driver(SILENT_DRIVER, 1)).status, 200);
    let reason = "delivered no picture for 10 seconds, before its first picture; rolling back to that of generation 3";
    while !server.log().contains(reason) {
        wait_for_picture_without_outage(&mut viewer, 3);
    }
    assert!(!server.log().contains("(retrying)"), "{}", server.log());
}

#[test]
fn damaged_pictures_of_a_driver_that_is_rolled_back_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (server, viewer) = serve_and_watch(folder.path(), &driver(DRIVES, 1));
    assert_eq!(put_driver(&server, "front", &driver(TRUNCATES_AND_TRAPS, 2)).status, 200);
    server.wait_for_log("before its first picture; rolling back to that of generation 1");
    drop(viewer);
    let closed = server.wait_for_log("camera front: closed, no viewers left; ");
    assert!(closed.contains("5 malformed"), "{closed}");
}
