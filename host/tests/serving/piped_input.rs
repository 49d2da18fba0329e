//! Cameras that read standard input (`stdin`) and named pipes (`pipe:`).

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::{Server, command, start_failing};
use hotshoe_test_support::{built_in_pictures, wait_until};

/// Waits until the snapshot is refused with this reason.
#[track_caller]
fn wait_for_reason(server: &Server, path: &str, reason: &str) {
    wait_until(&format!("{path} says {reason:?}"), || {
        let reply = get(server.address, path);
        reply.status == 503 && reply.text().contains(reason)
    });
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn standard_input_is_a_camera_until_it_ends() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut command = command();
    command.args(["--camera", "stdin", "--linger", "0"]);
    let server = Server::start_with_stdin(command, Stdio::from(reader));
    assert!(server.log().contains("camera stdin: standard input"), "{}", server.log());
    let pictures = built_in_pictures();
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    writer.write_all(&pictures[0]).unwrap();
    assert_eq!(viewer.part().jpeg, pictures[0]);
    drop(viewer);
    server.wait_for_log("camera stdin: closed, no viewers left; ");
    // What waits while the camera is closed is old when it is opened again.
    writer.write_all(&pictures[1]).unwrap();
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    server.wait_for_logs("camera stdin: open", 2);
    writer.write_all(&pictures[2]).unwrap();
    assert_eq!(viewer.part().jpeg, pictures[2]);
    drop(writer);
    server.wait_for_log("camera stdin: standard input has ended; start hotshoe again");
    wait_for_reason(&server, "/snapshot", "standard input has ended");
    let placeholder = viewer.part().jpeg;
    assert!(!pictures.contains(&placeholder));
}

#[test]
fn only_one_camera_can_read_standard_input() {
    let output = start_failing(["--camera", "a=stdin", "--camera", "b=stdin"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("two cameras read standard input"), "{message}");
}

#[test]
fn a_named_pipe_is_a_camera_whose_writers_may_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("yard");
    let server = Server::start(&["--camera", &format!("pipe:{}", path.display()), "--linger", "0.2"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed/yard");
    wait_for_reason(
        &server,
        "/snapshot",
        &format!("there is no named pipe at {0}; create it with: mkfifo", path.display()),
    );
    make_fifo(&path);
    let pictures = built_in_pictures();
    for (round, picture) in (1..).zip(&pictures[..2]) {
        // Waits until the camera reads.
        let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
        writer.write_all(picture).unwrap();
        while viewer.part().jpeg != *picture {}
        drop(writer);
        server.wait_for_logs(&format!("{} has ended; start the program that writes to it", path.display()), round);
    }
    // The camera closes the pipe after its last reader.
    drop(viewer);
    wait_until("the pipe is closed", || server.capture_threads() == 0);
}

#[test]
fn a_path_that_is_no_named_pipe_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, &built_in_pictures()[0]).unwrap();
    let server = Server::start(&["--camera", &format!("pipe:{}", path.display())]);
    wait_for_reason(&server, "/snapshot", "file is not a named pipe; create one with mkfifo, or use emulated:DIR");
    // Replacing it is enough.
    fs::remove_file(&path).unwrap();
    make_fifo(&path);
    let mut viewer = Viewer::watch(server.address, "/video_feed/file");
    let mut writer = File::options().write(true).open(&path).unwrap();
    writer.write_all(&built_in_pictures()[0]).unwrap();
    while viewer.part().jpeg != built_in_pictures()[0] {}
}

#[test]
fn the_test_pattern_has_the_requested_size_and_rate_and_every_picture_differs() {
    let server = Server::start(&["--camera", "emulated:test-pattern,size=320x240,fps=20"]);
    assert!(
        server.log().contains("camera test-pattern: emulated: a test pattern, 320x240, 20 fps"),
        "{}",
        server.log()
    );
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    let mut last = viewer.part();
    assert_eq!(hotshoe_test_support::pictures::jpeg_size(&last.jpeg), (320, 240));
    for _ in 0..20 {
        let part = viewer.part();
        assert_ne!(part.jpeg, last.jpeg);
        last = part;
    }
    server.wait_for_log("camera test-pattern: opened at 320x240, 20 fps");
}
