//! Folders of the emulated camera: unusable files, missing folders, and changes while viewers watch.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{built_in_pictures, wait_until};

fn start(folder: &Path) -> Server {
    Server::start(&["--camera", &format!("front=emulated:{},fps=20", folder.display()), "--camera", "yard=emulated"])
}

#[test]
fn unusable_files_are_skipped_and_logged_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let picture = built_in_pictures().remove(0);
    fs::write(path("good.jpg"), &picture).unwrap();
    fs::write(path("empty.jpg"), "").unwrap();
    fs::write(path("cut.jpg"), &picture[..20_000]).unwrap();
    fs::write(path("._1.jpg"), "Mac OS X").unwrap();
    fs::create_dir(path("folder.jpg")).unwrap();
    symlink("/nowhere", path("dangling.jpg")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path("pipe.jpg")).status().unwrap().success());
    let server = start(folder.path());
    assert!(server.log().contains("emulated: 1 picture from "), "{}", server.log());
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    // Recently written files are reported only after a while, because they may still be incomplete.
    for skipped in [
        "empty.jpg: it is not a complete JPEG image: it is empty",
        "cut.jpg: it is not a complete JPEG image: it is cut off",
        "._1.jpg: it is not a complete JPEG image: it does not start like a JPEG",
        "folder.jpg: it is a folder, not a regular file",
        "dangling.jpg: it is a link to a file that does not exist",
        "pipe.jpg: it is a pipe, not a regular file",
    ] {
        while !server.log().contains(skipped) {
            assert_eq!(viewer.part().jpeg, picture);
        }
    }
    for _ in 0..10 {
        viewer.part();
    }
    let log = server.log();
    assert_eq!(log.matches("WARN skipped ").count(), 6, "once for each file:\n{log}");
}

#[test]
fn a_missing_folder_may_appear_and_change_while_viewers_watch() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("pictures");
    let server = start(&folder);
    assert!(server.log().contains("WARN cannot read the folder"), "{}", server.log());
    assert_eq!(get(server.address, "/snapshot/yard").status, 200);
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    viewer.part();
    let snapshot = get(server.address, "/snapshot/front");
    assert_eq!(snapshot.status, 503);
    assert!(snapshot.text().contains("cannot read the folder"), "{}", snapshot.text());
    let pictures = built_in_pictures();
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("img10.jpg"), &pictures[0]).unwrap();
    while viewer.part().jpeg != pictures[0] {}
    // The same viewer sees a file being added, one being replaced, and all being removed.
    fs::write(folder.join("img2.jpg"), &pictures[1]).unwrap();
    while viewer.part().jpeg != pictures[1] {}
    fs::write(folder.join("img10.jpg"), &pictures[2]).unwrap();
    while viewer.part().jpeg != pictures[2] {}
    fs::remove_dir_all(&folder).unwrap();
    wait_until("the camera is lost", || get(server.address, "/snapshot/front").status == 503);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.jpg"), &pictures[0]).unwrap();
    while viewer.part().jpeg != pictures[0] {}
}
