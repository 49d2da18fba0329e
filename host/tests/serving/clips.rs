//! Clips: the frames that a camera remembers, as one file.

use hotshoe_test_support::client::{Reply, get, request};
use hotshoe_test_support::server::{Server, start_failing};
use hotshoe_test_support::{built_in_pictures, guests, wait_until};

/// The identifier of a cluster, which holds one frame (RFC 9559, section 5.1.3).
const CLUSTER: [u8; 4] = [0x1f, 0x43, 0xb6, 0x75];

/// Checks that a clip consists of whole images of the camera, and returns their number.
#[track_caller]
fn count_images(clip: &Reply) -> usize {
    assert_eq!((clip.status, clip.header("content-type")), (200, Some("video/matroska")), "{}", clip.body.len());
    assert!(clip.body.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]), "the identifier of EBML");
    let start = clip.body.windows(4).position(|window| window == CLUSTER).unwrap();
    let mut rest = &clip.body[start..];
    let mut count = 0;
    while !rest.is_empty() {
        assert!(rest.starts_with(&CLUSTER), "a cluster follows each image");
        let image = rest.windows(2).position(|window| window == [0xff, 0xd8]).unwrap();
        assert!(image < 64, "the header of a cluster is short");
        rest = &rest[image..];
        let pictures = built_in_pictures();
        let picture = pictures.iter().find(|picture| rest.starts_with(picture)).expect("an image of the camera");
        rest = &rest[picture.len()..];
        count += 1;
    }
    count
}

#[test]
fn a_clip_has_the_frames_of_the_last_seconds_and_forgets_older_ones() {
    let server = Server::start(&["--camera", "front=emulated,fps=20,remember=2s,keep-open"]);
    wait_until("the camera has played for longer than it remembers", || frames(&server) > 60);
    // On a busy machine, the camera delivers fewer frames for a moment, but never more.
    for (path, most) in [("/clip/front", 2 * 20 + 1), ("/clip/front.mkv?seconds=0.5", 20 / 2 + 1)] {
        wait_until("a clip has most of the frames of its time", || {
            let count = count_images(&get(server.address, path));
            assert!(count <= most, "{path} has {count} frames");
            4 * count >= 3 * most
        });
    }
    let head = request(server.address, "HEAD", "/clip/front");
    assert_eq!((head.status, head.header("content-disposition")), (200, Some("inline; filename=\"front.mkv\"")));
}

/// The number of frames in the last minute.
fn frames(server: &Server) -> u64 {
    let minute = get(server.address, "/minute").json();
    minute["frames"].as_array().unwrap().iter().map(|frames| frames.as_u64().unwrap()).sum()
}

#[test]
fn without_the_option_or_an_open_camera_there_is_no_clip() {
    let cameras = ["--camera", "front=emulated,fps=20,keep-open", "--camera", "yard=emulated,fps=20,remember=10"];
    let server = Server::start(&[&cameras[..], &["--linger", "0"]].concat());
    wait_until("both cameras have delivered frames", || {
        get(server.address, "/snapshot/yard?max_age=0").status == 200
            && get(server.address, "/snapshot/front").status == 200
    });
    server.wait_for_log("camera yard: closed");
    for (path, status, reason) in [
        ("/clip/front", 404, "remember=10s"),
        ("/clip/yard", 404, "while it is open"),
        ("/clip/front?seconds=0", 400, "seconds= is a number of seconds greater than 0"),
        ("/clip/front?seconds=a", 400, "seconds= is a number of seconds greater than 0"),
        ("/clip/barn", 404, "there is no camera with this name"),
    ] {
        let reply = get(server.address, path);
        assert_eq!(reply.status, status, "{path}");
        assert!(reply.text().contains(reason), "{path}: {}", reply.text());
    }
}

#[test]
fn a_time_to_remember_that_is_out_of_range_is_refused() {
    let output = start_failing(["--camera", "emulated,remember=1h"]);
    let message = String::from_utf8(output.stderr).unwrap();
    let reason = "`1h` is not a time to remember; use a duration of up to 600s, such as remember=10s";
    assert!(message.contains(reason), "{message}");
}

#[test]
fn a_guest_that_hoards_remembered_frames_gets_an_error() {
    let attempts = "(local.set $left (i32.const 17))
        (loop $again
          (call $report (call $hold (local.get $sequence)))
          (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (call $report (call $hold (i64.const -1)))";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guest.wasm");
    std::fs::write(&file, guests::attaching_in_handler(attempts)).unwrap();
    let server = Server::start(&["--camera", "emulated,fps=20,remember=10s", "--guest", file.to_str().unwrap()]);
    // `too-many-images` is the third error.
    assert_eq!(get(server.address, "/bad").text(), format!("{}33", "0".repeat(16)));
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
}
