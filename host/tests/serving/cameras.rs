//! When cameras open and close, and what they play.

use std::fs;

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::pictures::jpeg_size;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{built_in_pictures, pictures, wait_until};

#[test]
fn the_log_names_the_cameras_the_guest_and_the_address() {
    let server = Server::start(&["--camera", "front=emulated", "--camera", "yard=emulated"]);
    let log = server.log();
    let lines = log.lines().filter_map(|line| Some(line.split_once(" INFO ")?.1));
    // What the kernel confines differs from machine to machine.
    let lines: Vec<_> = lines.filter(|line| !line.starts_with("confinement: ")).collect();
    assert_eq!(lines.len(), 6, "{log}");
    assert_eq!(lines[0], "camera front: emulated: 3 built-in pictures");
    assert_eq!(lines[1], "camera yard: emulated: 3 built-in pictures");
    assert_eq!(lines[2], "grants: none");
    assert!(lines[3].starts_with("audit: generation 1: serving the built-in guest, sha256 "), "{log}");
    assert_eq!(lines[4], format!("admin at http://{}/guest", server.admin.unwrap()));
    assert_eq!(lines[5], format!("open http://{}/", server.address));
}

#[test]
fn the_log_warns_if_two_cameras_use_the_same_device() {
    let server = Server::start(&["--camera", "/dev/video987", "--camera", "b=/dev/video987"]);
    assert!(server.log().contains("several cameras use /dev/video987"), "{}", server.log());
}

#[test]
fn a_camera_opens_with_its_first_reader_and_closes_after_its_last() {
    let server = Server::start(&["--camera", "emulated,fps=20", "--linger", "0.3"]);
    get(server.address, "/");
    assert_eq!(server.capture_threads(), 0, "the page alone opened a camera");
    let mut first = Viewer::watch(server.address, "/video_feed");
    first.part();
    server.wait_for_log("camera emulated: opened at 640x480, 20 fps");
    let mut second = Viewer::watch(server.address, "/video_feed");
    second.part();
    assert_eq!(server.capture_threads(), 1);
    drop(first);
    for _ in 0..20 {
        second.part();
    }
    assert!(!server.log().contains("closed"), "it closed in spite of a reader");
    drop(second);
    server.wait_for_log("camera emulated: closed, no viewers left; ");
    wait_until("the capture thread has ended", || server.capture_threads() == 0);
    // It opens again.
    get(server.address, "/snapshot");
    server.wait_for_logs("camera emulated: open", 2);
    server.wait_for_logs("camera emulated: closed", 2);
}

#[test]
fn a_camera_stays_open_for_its_linger_time() {
    let server = Server::start(&["--camera", "emulated,fps=20", "--linger", "5"]);
    for _ in 0..20 {
        get(server.address, "/snapshot");
    }
    server.wait_for_log("camera emulated: open");
    let log = server.log();
    assert_eq!(log.matches("camera emulated: open").count(), 1, "{log}");
    assert!(!log.contains("closed"), "{log}");
}

#[test]
fn viewers_of_a_missing_camera_see_the_reason() {
    let server = Server::start(&["--camera", "front=/dev/video987", "--camera", "emulated,fps=20"]);
    let log = server.log();
    assert!(log.contains("WARN no device at /dev/video987"), "{log}");
    assert!(log.contains("camera front: a camera at /dev/video987"), "{log}");
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    assert_eq!(viewer.status, 200);
    let parts: Vec<_> = (0..3).map(|_| viewer.part()).collect();
    assert_eq!(jpeg_size(&parts[0].jpeg), (640, 480));
    assert!(parts.iter().all(|part| part.jpeg == parts[0].jpeg));
    assert!(parts[0].timestamp < parts[1].timestamp && parts[1].timestamp < parts[2].timestamp, "{parts:?}");
    let snapshot = get(server.address, "/snapshot/front");
    assert_eq!((snapshot.status, snapshot.header("retry-after")), (503, Some("1")));
    assert!(snapshot.text().contains("no device at /dev/video987"), "{}", snapshot.text());
    // The other camera is not affected.
    assert_eq!(get(server.address, "/snapshot/emulated").status, 200);
    let log = server.log();
    assert_eq!(log.matches("camera front: no device").count(), 1, "once per cause:\n{log}");
}

#[test]
fn keep_open_opens_a_camera_without_readers() {
    let server = Server::start(&["--camera", "emulated,fps=20,keep-open", "--linger", "0"]);
    server.wait_for_log("camera emulated: open");
    Viewer::watch(server.address, "/video_feed").part();
    get(server.address, "/snapshot");
    assert_eq!(server.capture_threads(), 1);
    assert!(!server.log().contains("closed"), "{}", server.log());
}

#[test]
fn the_program_needs_no_files_and_leaves_none() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_in(folder.path(), &["--camera", "emulated,fps=20"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    for _ in 0..6 {
        assert!(built_in_pictures().contains(&viewer.part().jpeg));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it left files behind");
}

#[test]
fn a_folder_plays_in_name_order_in_a_loop() {
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), 5, 0);
    // Extensions may be upper case. Other files are ignored.
    fs::rename(folder.path().join("00003.jpg"), folder.path().join("00003.JPEG")).unwrap();
    fs::write(folder.path().join("README.txt"), "not a picture").unwrap();
    let server = Server::start(&["--camera", &format!("emulated:{},fps=10", folder.path().display())]);
    assert!(server.log().contains("emulated: 5 pictures from "), "{}", server.log());
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    let mut last = pictures::number(&viewer.part().jpeg);
    for _ in 0..12 {
        let number = pictures::number(&viewer.part().jpeg);
        // A viewer on a busy machine may skip a picture but never goes back.
        assert!([1, 2].contains(&((number + 5 - last) % 5)), "{number} after {last}");
        last = number;
    }
}

#[test]
fn padding_after_a_picture_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut padded = built_in_pictures().remove(0);
    padded.extend([0; 1000]);
    fs::write(folder.path().join("padded.jpg"), padded).unwrap();
    let server = Server::start(&["--camera", &format!("emulated:{}", folder.path().display())]);
    assert_eq!(get(server.address, "/snapshot").body, built_in_pictures()[0]);
}

#[test]
fn labels_in_any_script_appear_on_the_page_and_in_the_state() {
    let label = "\u{7384}\u{95a2} & \u{5d7}\u{5e6}\u{5e8}, <Tor>";
    let server = Server::start(&[
        "--camera",
        &format!("front=emulated,label={}", label.replace(',', ",,")),
        "--camera",
        "emulated",
    ]);
    let page = get(server.address, "/").text();
    assert!(page.contains("\u{7384}\u{95a2} &amp; \u{5d7}\u{5e6}\u{5e8}, &lt;Tor&gt;"), "{page}");
    assert_eq!(get(server.address, "/state").json()["result"]["label"], label);
    // The name replaces a missing label.
    assert_eq!(get(server.address, "/state/emulated").json()["result"]["label"], "emulated");
}

#[test]
fn unnamed_cameras_get_unique_names_and_doubled_commas_are_part_of_paths() {
    let parent = tempfile::tempdir().unwrap();
    let long = "a-folder-whose-name-is-longer-than-a-name-may-be, part";
    let mut args = Vec::new();
    for number in 1..=3 {
        let folder = parent.path().join(format!("{long} {number}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("1.jpg"), &built_in_pictures()[number - 1]).unwrap();
        args.extend(["--camera".to_owned(), format!("emulated:{}", folder.to_str().unwrap().replace(',', ",,"))]);
    }
    args.extend(["--camera", "emulated", "--camera", "emulated"].map(str::to_owned));
    let server = Server::start(&args);
    let page = get(server.address, "/").text();
    let names = page.split("data-camera=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0));
    let names: Vec<_> = names.collect();
    assert_eq!(names[3..], ["emulated", "emulated-2"], "{names:?}");
    for (number, name) in names.iter().enumerate().take(3) {
        assert!(name.len() <= 32 && name.ends_with(&format!("-part-{}", number + 1)), "{names:?}");
        let snapshot = get(server.address, &format!("/snapshot/{name}"));
        assert_eq!(snapshot.body, built_in_pictures()[number]);
    }
}
