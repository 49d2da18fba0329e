//! V4L2 cameras emulated by a preloaded library, without faults. Tests with faults are in `faults`.

use std::process::Command;

use crate::harness::run_successfully;

use hotshoe_test_support::client::{Viewer, get, send};
use hotshoe_test_support::fakecam::{preload, stamped_sequence};
use hotshoe_test_support::pictures::jpeg_size;
use hotshoe_test_support::server::{Server, command};
use hotshoe_test_support::wait_until;

/// The command to run the program with a camera at /dev/video0 that has these settings.
pub fn with_camera(settings: &[(&str, &str)]) -> Command {
    let mut command = command();
    preload(&mut command, settings);
    command
}

pub fn serve(settings: &[(&str, &str)], camera: &str) -> Server {
    let mut command = with_camera(settings);
    command.args(["--camera", camera, "--linger", "0.2"]);
    Server::start_command(command)
}

fn frame_number(jpeg: &[u8]) -> u64 {
    stamped_sequence(jpeg).expect("a frame of the camera")
}

pub fn streams() {
    let server = serve(&[("FAKECAM_STAMP", "1")], "/dev/video0");
    assert!(server.log().contains("camera video0: Fakecam 0 at /dev/video0"), "{}", server.log());
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    let mut last = frame_number(&viewer.part().jpeg);
    for _ in 0..90 {
        let number = frame_number(&viewer.part().jpeg);
        // If no new frame arrives for a second, as on a busy machine, the last one is sent again.
        assert!(number >= last, "{number} after {last}");
        last = number;
    }
    assert_eq!(server.capture_threads(), 1);
    drop(viewer);
    server.wait_for_log("camera video0: closed");
}

/// The camera cannot crop, so its raw pictures are cropped, and its JPEG images are not.
pub fn is_cropped() {
    const CAMERA: &str = "/dev/video0,size=640x480,crop=320x240+320+100";
    let server = serve(&[], CAMERA);
    assert_eq!(jpeg_size(&get(server.address, "/snapshot").body), (320, 240));
    server.wait_for_log("/dev/video0: crop=320x240+320+100 by the server");
    server.wait_for_log("camera video0: opened at 320x240, 30 fps, YUYV");
    let server = serve(&[("FAKECAM_FORMATS", "MJPG")], CAMERA);
    let refused = get(server.address, "/snapshot");
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("/dev/video0 cannot crop its pictures, and those in MJPG"), "{}", refused.text());
}

pub fn is_found_by_auto() {
    let server = serve(&[], "auto");
    assert!(server.log().contains("camera video0: Fakecam 0 at /dev/video0"), "{}", server.log());
    assert_eq!(get(server.address, "/snapshot/video0").status, 200);
}

pub fn is_listed() {
    let list = run_successfully(with_camera(&[("FAKECAM_DEVICES", "2")]).arg("cameras"));
    let list = String::from_utf8(list.stdout).unwrap();
    for line in [
        "/dev/video0  Fakecam 0",
        "/dev/video1  Fakecam 1",
        "  MJPG  ",
        "  YUYV  ",
        "    640x480      30, 24, 20, 15, 10, 7.5, 5 fps",
        "    brightness               value 128, valid: 0 to 255",
        "    power_line_frequency     value 1, valid: 0 (Disabled), 1 (50 Hz), 2 (60 Hz)",
        "    exposure_time_absolute   value 250, valid: 3 to 2047  (inactive: an automatic mode is on)",
    ] {
        assert!(list.contains(line), "{line:?} is not in\n{list}");
    }
}

pub fn is_probed() {
    let settings = [("FAKECAM_STAMP", "1"), ("FAKECAM_CORRUPT_EVERY", "7"), ("FAKECAM_DROP_EVERY", "10")];
    let settings = [&settings[..], &[("FAKECAM_UNPLUG_AFTER", "45"), ("FAKECAM_UNPLUG_SECONDS", "60")]].concat();
    let folder = tempfile::tempdir().unwrap();
    let mut probe = with_camera(&settings);
    probe.args(["probe", "/dev/video0,size=640x480,fps=30", "--seconds", "4", "--output", "x.jpg"]);
    let report = run_successfully(probe.current_dir(folder.path()));
    let report = String::from_utf8(report.stdout).unwrap();
    for line in [
        "camera     Fakecam 0 at /dev/video0\n",
        "mode       640x480, 30 fps, MJPG\n",
        " dropped, ",
        " corrupt\n",
        "outage     /dev/video0 was unplugged; plug it in again\n",
        "picture    x.jpg, 640x480, ",
    ] {
        assert!(report.contains(line), "{line:?} is not in\n{report}");
    }
    stamped_sequence(&std::fs::read(folder.path().join("x.jpg")).unwrap()).expect("a frame of the camera");
    // Raw images are reported as they are served: encoded.
    let mut probe = with_camera(&[("FAKECAM_FORMATS", "YUYV")]);
    let report = run_successfully(probe.args(["probe", "/dev/video0", "--seconds", "0.5"]).current_dir(folder.path()));
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("mode       640x480, 30 fps, YUYV, encoded with quality 80\n"), "{report}");
    assert!(folder.path().join("probe.jpg").exists());
}

pub fn uses_the_requested_mode() {
    let server = serve(&[], "front=/dev/video0,size=1280x720,fps=15");
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    for _ in 0..10 {
        assert_eq!(jpeg_size(&viewer.part().jpeg), (1280, 720));
    }
    assert!(server.log().contains("camera front: opened at 1280x720, 15 fps, MJPG"), "{}", server.log());
    assert!(!server.log().contains("requested"), "{}", server.log());
}

pub fn delivers_at_most_the_requested_rate() {
    // The camera offers 5 fps at least.
    let server = serve(&[("FAKECAM_STAMP", "1")], "/dev/video0,fps=2");
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    let part = viewer.part();
    let started: f64 = part.timestamp.parse().unwrap();
    let mut last = frame_number(&part.jpeg);
    let mut distinct = 0;
    while distinct < 6 {
        let part = viewer.part();
        let number = frame_number(&part.jpeg);
        if number == last {
            continue;
        }
        distinct += 1;
        last = number;
        let elapsed = part.timestamp.parse::<f64>().unwrap() - started;
        assert!(f64::from(distinct) <= 2.0 * elapsed + 1.0, "{distinct} frames in {elapsed} s");
    }
    let log = server.log();
    let skipped = "requested 2 fps, got 5 fps; frames above the requested rate are skipped";
    assert!(log.contains(skipped) && log.contains("opened at 1280x720, 2 fps, MJPG"), "{log}");
    // Skipped frames are not lost.
    drop(viewer);
    let closed = server.wait_for_log("camera video0: closed");
    assert!(closed.ends_with(" frames, none lost since the start"), "{closed}");
}

pub fn logs_modes_that_are_not_available() {
    let server = serve(&[], "/dev/video0,size=1000x700,fps=55");
    assert_eq!(get(server.address, "/snapshot").status, 200);
    let log = server.log();
    assert!(log.contains("/dev/video0: requested 1000x700, got "), "{log}");
    assert!(log.contains("MJPG sizes: 1280x720, 1920x1080, 640x480"), "{log}");
    let rates = ": 30, 24, 20, 15, 10, 7.5, 5";
    assert!(log.contains("/dev/video0: requested 55 fps, got 30 fps; MJPG rates at "), "{log}");
    assert!(log.contains(rates), "{log}");
}

pub fn opens_and_closes() {
    let server = serve(&[], "/dev/video0");
    let cycle = |round| {
        assert_eq!(get(server.address, "/snapshot").status, 200);
        server.wait_for_logs("camera video0: closed", round);
    };
    cycle(1);
    wait_until("the capture thread has ended", || server.capture_threads() == 0);
    let files = server.open_files();
    (2..=15).for_each(cycle);
    wait_until("all files are closed", || server.open_files() <= files);
}

pub fn controls() {
    let camera = "front=/dev/video0,control=brightness:7,exposure_time_absolute:100,auto_exposure:1";
    let mut command = with_camera(&[]);
    command.args(["--camera", camera, "--linger", "0.2", "--allow-control"]);
    let server = Server::start_command(command);
    let value = |name: &str| {
        let controls = get(server.address, "/controls/front").json();
        let list = controls["controls"].as_array().unwrap();
        list.iter().find(|control| control["name"] == name).unwrap()["value"].as_i64().unwrap()
    };
    // The configured values are set when the camera is opened.
    Viewer::watch(server.address, "/video_feed/front").part();
    assert_eq!((value("brightness"), value("auto_exposure"), value("exposure_time_absolute")), (7, 1, 100));
    let post = |body: &str| send(server.address, "POST", "/controls/front", &[], body.as_bytes());
    assert_eq!(post("brightness=200&contrast=9").status, 200);
    assert_eq!((value("brightness"), value("contrast")), (200, 9));
    assert_eq!(post("auto_exposure=3").status, 200);
    let refused = post("exposure_time_absolute=50");
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(refused.text().contains("an automatic"), "{}", refused.text());
}
