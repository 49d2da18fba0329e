//! Cameras with drivers and filters, which come and go with the configuration.

use std::fs;
use std::path::Path;

use hotshoe_test_support::client::{Viewer, get, request, send};
use hotshoe_test_support::guests::{DRIVES, MASKS_ALWAYS, driver, driver_that_a_file_breaks, masking};
use hotshoe_test_support::server::{Server, command_with_limit};
use hotshoe_test_support::{built_in_pictures, wait_until};
use rustix::process::Signal;
use serde_json::json;

use super::{Configured, cameras, report};
use crate::drivers::wait_for_picture;

/// The section of a camera with this driver.
fn with_driver(name: &str, file: &Path) -> String {
    format!("[cameras.{name}]\nsource = \"component:{}\"\n", file.display())
}

#[test]
fn cameras_with_components_are_added_changed_and_removed_under_viewers_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, component: Vec<u8>| {
        let path = folder.path().join(name);
        fs::write(&path, component).unwrap();
        path
    };
    let drivers = [1, 2].map(|picture| file(&format!("{picture}.wasm"), driver(DRIVES, picture)));
    let filter = file("filter.wasm", masking(MASKS_ALWAYS));
    // Without a component at the start, there would be no file to watch.
    let stays = format!("watch = true\n{}{}", cameras(&[("stays", 20)]), with_driver("first", &drivers[1]));
    let configured = Configured::start(&stays);
    let (address, admin) = (configured.server.address, configured.server.admin.unwrap());
    let mut others = ["stays", "first"].map(|name| Viewer::watch(address, &format!("/video_feed/{name}")));
    others.iter_mut().for_each(|viewer| drop(viewer.part()));

    let filtered = format!("[cameras.filtered]\nsource = \"emulated\"\nfilter = \"{}\"\n", filter.display());
    let with_both = format!("{stays}{}{filtered}", with_driver("new", &drivers[0]));
    assert_eq!(configured.reload(&with_both), (200, report(&["new", "filtered"], &[], &[])));
    let mut new = Viewer::watch(address, "/video_feed/new");
    wait_for_picture(&mut new, 1);
    // Whoever has the frames of the filter has no others.
    assert!(!built_in_pictures().contains(&get(address, "/snapshot/filtered").body));
    let paths = || {
        let reports = get(admin, "/cameras").json();
        let paths = reports.as_array().unwrap().iter().map(|report| report["path"].as_str().unwrap().to_owned());
        paths.collect::<Vec<_>>()
    };
    assert_eq!(paths(), ["/cameras/first", "/cameras/new", "/cameras/filtered/filters/1"]);

    // The added camera is like those of the start: its driver can be uploaded, rolled back, watched and reloaded.
    assert_eq!(send(admin, "PUT", "/cameras/new", &[], &driver(DRIVES, 3)).status, 200);
    wait_for_picture(&mut new, 3);
    assert_eq!(request(admin, "POST", "/cameras/new/rollback").status, 200);
    wait_for_picture(&mut new, 1);
    fs::write(&drivers[0], driver(DRIVES, 2)).unwrap();
    wait_for_picture(&mut new, 2);
    assert_eq!(send(admin, "PUT", "/cameras/new", &[], &driver(DRIVES, 3)).status, 200);
    wait_for_picture(&mut new, 3);
    configured.server.signal(Signal::HUP);
    wait_for_picture(&mut new, 2);

    // A change of the configuration starts another driver.
    fs::write(&drivers[0], driver(DRIVES, 1)).unwrap();
    wait_for_picture(&mut new, 1);
    let changed = format!("{stays}{}", with_driver("new", &drivers[1]));
    assert_eq!(configured.reload(&changed), (200, report(&[], &["new"], &["filtered"])));
    while new.next_part().is_some() {}
    wait_for_picture(&mut Viewer::watch(address, "/video_feed/new"), 2);
    assert_eq!(paths(), ["/cameras/first", "/cameras/new"]);
    assert_eq!(configured.snapshot_status("filtered"), 404);
    // So does a camera that gets its first component, or loses its last one.
    let without = format!("{}[cameras.first]\nsource = \"emulated\"\n", cameras(&[("stays", 20)]));
    let with_watch = format!("watch = true\n{without}");
    assert_eq!(configured.reload(&with_watch), (200, report(&[], &["first"], &["new"])));
    assert_eq!(paths(), [""; 0]);
    others[0].part();
    while others[1].next_part().is_some() {}
    assert_eq!(configured.reload(&stays), (200, report(&[], &["first"], &[])));
    wait_for_picture(&mut Viewer::watch(address, "/video_feed/first"), 2);
    // No instance is left of what was removed.
    let instances = || get(admin, "/status").json()["instances"].clone();
    wait_until("one driver runs", || {
        let drivers = instances().as_array().unwrap().iter().find(|usage| usage["role"] == "driver").cloned();
        drivers.is_some_and(|usage| usage["count"] == 1)
    });
    others[0].part();
}

#[test]
fn a_camera_whose_components_find_no_room_is_refused_and_the_rest_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("driver.wasm");
    fs::write(&path, driver_that_a_file_breaks(1)).unwrap();
    let file = folder.path().join("hotshoe.toml");
    fs::write(&file, cameras(&[("stays", 20)])).unwrap();
    // Enough for two drivers with files.
    let mut command = command_with_limit("-n 240");
    command.arg("--config").arg(&file);
    let configured = Configured { server: Server::start_command(command), file, _folder: folder };
    let address = configured.server.address;
    let mut viewer = Viewer::watch(address, "/video_feed/stays");
    viewer.part();
    let reading = |name: &str| format!("{}dir = \"/\"\n", with_driver(name, &path));
    // Two instances for each filter: more than are reserved for eight cameras.
    let filters = format!("[cameras.filters]\nsource = \"emulated\"\nfilter = [{}]\n", "\"none.wasm\",".repeat(21));
    let all = format!("{}{}{filters}", cameras(&[("stays", 20), ("new", 20)]), ["a", "b", "c"].map(reading).concat());
    let (status, reported) = configured.reload(&all);
    assert_eq!((status, &reported["cameras"]["added"]), (200, &json!(["new", "a", "b"])), "{reported}");
    assert_eq!(reported["needs_restart"], json!(["cameras.c", "cameras.filters"]));
    let reason = |camera: &str| reported["reasons"][format!("cameras.{camera}")].as_str().unwrap().to_owned();
    assert!(reason("c").starts_with("its driver may open 48 files and connections, and the limit on open files"));
    assert!(reason("filters").starts_with("its driver and filters need 42 instances, and of those"), "{reported}");
    let line =
        configured.server.wait_for_log("these changes of the configuration need a restart: cameras.c (its driver");
    assert!(line.contains("), cameras.filters (its driver and filters need 42 instances"), "{line}");
    assert_eq!((configured.snapshot_status("new"), configured.snapshot_status("c")), (200, 404));
    // What the drivers need, connections lose.
    configured.server.wait_for_logs(" connections instead of ", 2);
    let log = configured.server.log();
    let most = log.lines().filter_map(|line| line.split_once(" connections instead of ")?.0.rsplit(' ').next());
    let most: Vec<usize> = most.map(|number| number.parse().unwrap()).collect();
    assert_eq!(most[0] - most[1], 96, "{log}");
    // Once another camera is gone, there is room.
    let fewer = format!("{}{}", cameras(&[("stays", 20)]), ["a", "c"].map(reading).concat());
    let (_, reported) = configured.reload(&fewer);
    assert_eq!((&reported["cameras"]["added"], &reported["needs_restart"]), (&json!(["c"]), &json!([])), "{reported}");
    viewer.part();
}
