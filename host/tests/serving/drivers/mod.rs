//! Cameras whose driver is a component (`component:`).
//!
//! * `faults`: what viewers learn when a driver fails. `abuse`: drivers that misbehave harm only themselves.
//! * `loading`: drivers and filters that take long to load.
//! * `swapping`: drivers that are replaced. `probation`: those that fail before their first picture.

mod abuse;
mod faults;
mod loading;
mod probation;
mod swapping;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::guests::{
    DRIVES, PRINTS_ITS_FIRST_OPTION, SILENT_DRIVER, driver, driver_file, driver_importing,
};
use hotshoe_test_support::server::{Server, command, command_with_limit, end, run, start_failing};
use hotshoe_test_support::{built_in_pictures, wait_until};

/// Serves the camera `front` with this driver, and the emulated camera `other`.
fn serve(folder: &Path, driver: &[u8]) -> Server {
    let (_, camera) = driver_file(folder, driver);
    Server::start(&["--camera", &camera, "--camera", "other=emulated,fps=20", "--linger", "0.2"])
}

/// Serves the camera `front` with a driver that delivers the first picture, and a viewer who has received it.
fn serve_and_watch(folder: &Path, driver: &[u8]) -> (Server, Viewer) {
    let server = serve(folder, driver);
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    wait_for_picture(&mut viewer, 1);
    (server, viewer)
}

/// Waits until the snapshot is refused with this reason.
#[track_caller]
fn wait_for_reason(server: &Server, reason: &str) {
    wait_until(&format!("the camera says {reason:?}"), || {
        let reply = get(server.address, "/snapshot/front");
        reply.status == 503 && reply.text().contains(reason)
    });
}

/// Receives parts until this picture arrives.
#[track_caller]
pub(crate) fn wait_for_picture(viewer: &mut Viewer, number: usize) {
    let picture = &built_in_pictures()[number - 1];
    wait_until(&format!("picture {number} arrives"), || viewer.part().jpeg == *picture);
}

#[test]
fn a_driver_runs_while_its_camera_has_readers() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &driver(DRIVES, 1));
    server.wait_for_log("camera front: generation 1: driver ");
    get(server.address, "/");
    assert_eq!(server.capture_threads(), 0, "the page alone opened the camera");
    for count in 1..=2 {
        let mut viewer = Viewer::watch(server.address, "/video_feed/front");
        for _ in 0..10 {
            assert_eq!(viewer.part().jpeg, built_in_pictures()[0]);
        }
        drop(viewer);
        // The driver learns that its camera closes, and may finish what it does.
        server.wait_for_logs("camera front: driver stdout: closing", count);
        server.wait_for_logs("camera front: closed, no viewers left; ", count);
    }
    let log = server.wait_for_log("camera front: opened at 640x480");
    // On a busy machine, a picture may replace one that was not taken in time.
    for cause in ["dropped", "malformed", "corrupt"] {
        assert!(!log.contains(&format!(" {cause}")), "{log}");
    }
    wait_until("the capture threads end", || server.capture_threads() == 0);
}

#[test]
fn a_driver_gets_the_options_of_its_camera() {
    let folder = tempfile::tempdir().unwrap();
    let (_, camera) = driver_file(folder.path(), &driver(PRINTS_ITS_FIRST_OPTION, 1));
    let camera = format!("{camera},fps=5,address=10.0.0.1,,x,label=Porch");
    let server = Server::start(&["--camera", &camera]);
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let time = |viewer: &mut Viewer| viewer.part().timestamp.parse::<f64>().unwrap();
    let first = time(&mut viewer);
    let fourth = (0..3).map(|_| time(&mut viewer)).last().unwrap();
    // It delivers 50 pictures per second.
    assert!(fourth - first > 0.4, "the host does not limit the rate: {first}, {fourth}");
    server.wait_for_log("driver stdout: address");
    server.wait_for_log("driver stdout: 10.0.0.1,x");
    assert!(get(server.address, "/").text().contains("Porch"));

    let folder = folder.path().display().to_string();
    for (option, reason) in [
        ("dir=/nowhere", "camera front: dir=/nowhere: cannot open /nowhere"),
        ("env=A", "env= needs a key and a value, such as env=KEY:VALUE"),
        ("env-file=A:/nowhere", "camera front: env-file=A: "),
        ("allow-outgoing=ftp://a", "camera front: allow-outgoing=ftp://a: "),
        ("=x", "`=x` is not an option"),
        ("size=1", "`1` is not a size"),
    ] {
        let output = start_failing(["--camera", &format!("front=component:{folder}/driver.wasm,{option}")]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(reason), "{option}: {error}");
    }
}

#[test]
fn a_driver_says_when_a_picture_was_captured_but_never_in_the_future() {
    let folder = tempfile::tempdir().unwrap();
    // At the start of the machine, and in the year 2554.
    let push = |captured: &str| {
        format!(
            "(call $push_bytes (global.get $picture) (global.get $length) (i32.const 1) (i64.const {captured})
               (i32.const 256))
             (call $pause (i64.const 20))"
        )
    };
    let instructions = format!("(loop $again {} {} (br $again))", push("1"), push("-1"));
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let start = now();
    let server = serve(folder.path(), &driver(&instructions, 1));
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let mut captured = || viewer.part().timestamp.parse::<f64>().unwrap();
    wait_until("a picture was captured before the server started", || captured() < start);
    wait_until("a picture was captured just now", || captured() >= start);
    for _ in 0..10 {
        assert!(captured() <= now());
    }
}

#[test]
fn the_files_and_connections_that_a_driver_may_open_are_reserved() {
    let folder = tempfile::tempdir().unwrap();
    // The driver is in the compile cache then. A server that compiles it has more files open while it counts them.
    drop(serve_and_watch(folder.path(), &driver(DRIVES, 1)));
    let (_, camera) = driver_file(folder.path(), &driver(DRIVES, 1));
    let connections = |options: &str| {
        let mut command = command_with_limit("-n 300");
        command.args(["--camera", &format!("{camera}{options}")]);
        let log = Server::start_command(command).wait_for_log("raise the limit on open files");
        let (_, count) = log.split_once("at most ").unwrap();
        count.split(' ').next().unwrap().parse::<usize>().unwrap()
    };
    let granted = format!(",dir={},allow-outgoing=http://127.0.0.1:1", folder.path().display());
    let reserved = connections("") - connections(&granted);
    // For three instances, 16 files and 8 requests each. The directory itself is open as well.
    assert!((72..90).contains(&reserved), "{reserved}");
}

#[test]
fn a_driver_reaches_neither_other_cameras_nor_the_state_of_guests() {
    let folder = tempfile::tempdir().unwrap();
    let list = r#"(import "hotshoe:camera/cameras@0.2.0" "list-cameras" (func $list (param i32)))"#;
    let snooping = driver_importing("import hotshoe:camera/cameras@0.2.0;", list, "(call $list (i32.const 256))", 1);
    let server = serve(folder.path(), &snooping);
    let refusal = "imports what this host does not provide: hotshoe:camera/cameras@0.2.0";
    server.wait_for_log(refusal);
    wait_for_reason(&server, refusal);
    let file = folder.path().join("driver.wasm");
    let imports = run(["guest".as_ref(), "imports".as_ref(), file.as_os_str()]);
    let imports = String::from_utf8(imports.stdout).unwrap();
    assert!(imports.contains("hotshoe:camera/cameras@0.2.0: missing"), "{imports}");
    assert!(imports.contains("hotshoe:camera/capture@0.2.0: granted"), "{imports}");
}

#[test]
fn what_is_not_a_driver_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    for (component, reason) in [
        (&b"text"[..], "is not a WebAssembly component"),
        (b"\0asm\x01\0\0\0", "is a core module, not a component"),
        (&hotshoe_test_support::guests::built_in(), "imports what this host does not provide"),
        (b"\0asm\x0d\0\x01\0", "does not export hotshoe:camera/source, so it cannot be the driver of a camera"),
    ] {
        let server = serve(folder.path(), component);
        server.wait_for_log(reason);
        wait_for_reason(&server, reason);
        // However often the camera tries again.
        let report = get(server.admin.unwrap(), "/cameras/front").json();
        assert!(report["refused"]["reason"].as_str().unwrap().contains(reason), "{report}");
        let counts = report["swaps"]["refused"].as_object().unwrap();
        assert_eq!(counts.values().filter_map(serde_json::Value::as_u64).sum::<u64>(), 1, "{report}");
    }
}

#[test]
fn probe_opens_a_driver() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.jpg");
    let probe = |driver: &[u8], seconds: &str| {
        let (_, camera) = driver_file(folder.path(), driver);
        let mut command = command();
        command.args(["probe", &camera, "--seconds", seconds, "--output"]).arg(&picture);
        end(command)
    };
    let output = probe(&driver(DRIVES, 2), "0.2");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(report.contains("driver.wasm") && report.contains("640x480"), "{report}");
    assert_eq!(std::fs::read(&picture).unwrap(), built_in_pictures()[1]);
    std::fs::remove_file(&picture).unwrap();
    let output = probe(&driver(SILENT_DRIVER, 2), "0.2");
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("delivered no picture for 10 seconds"), "{error}");
}
