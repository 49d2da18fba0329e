//! Clips: the frames that a camera remembers, as one file.

use std::io::Write as _;
use std::process::Stdio;

use hotshoe::camera::Dimensions;
use hotshoe::camera::pixels::{Area, Format, Picture};
use hotshoe_test_support::client::{Reply, get, request};
use hotshoe_test_support::server::{Server, command, start_failing};
use hotshoe_test_support::{built_in_pictures, guests, wait_until};

/// The identifier of a cluster, which holds one frame (RFC 9559, section 5.1.3).
const CLUSTER: [u8; 4] = [0x1f, 0x43, 0xb6, 0x75];

/// The identifier of an element that players skip (RFC 8794, section 11.3.2).
const VOID: u8 = 0xec;

/// The identifier of the index (RFC 9559, section 5.1.5).
const CUES: [u8; 4] = [0x1c, 0x53, 0xbb, 0x6b];

/// Checks that a clip consists of whole images of the camera, and returns their number.
#[track_caller]
fn count_images(clip: &Reply) -> usize {
    assert_eq!((clip.status, clip.header("content-type")), (200, Some("video/matroska")), "{}", clip.body.len());
    assert!(clip.body.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]), "the identifier of EBML");
    let start = clip.body.windows(4).position(|window| window == CLUSTER).unwrap();
    let mut rest = &clip.body[start..];
    let mut count = 0;
    while !rest.is_empty() {
        if rest[0] == VOID {
            // A frame was forgotten after the clip began. The length has eight bytes, the first of which is a marker.
            let length = u64::from_be_bytes(rest[1..9].try_into().unwrap()) - (1 << 56);
            rest = &rest[9 + length as usize..];
            continue;
        }
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
    let clip = get(server.address, "/clip/front");
    // Clients see how much is left, and can tell a whole file from one that was cut off.
    assert_eq!(clip.header("content-length"), Some(clip.body.len().to_string().as_str()));
    assert!(clip.body.windows(4).any(|window| window == CUES), "an index");
    let head = request(server.address, "HEAD", "/clip/front");
    assert_eq!((head.status, head.header("content-disposition")), (200, Some("inline; filename=\"front.mkv\"")));
}

#[test]
fn a_clip_begins_after_the_last_change_of_size() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut command = command();
    command.args(["--camera", "front=stdin,remember=60s,keep-open"]);
    let server = Server::start_with_stdin(command, Stdio::from(reader));
    let small = |shade: u8| {
        let mut picture = Picture::black(Dimensions { width: 80, height: 48 }, Format::Luma).unwrap();
        let size = Dimensions { width: 80, height: 48 };
        picture.write(Area { left: 0, top: 0, size }, &vec![shade; 80 * 48]).unwrap();
        picture.encode(90).unwrap().bytes.to_vec()
    };
    let large = built_in_pictures();
    let pictures = [large[0].clone(), large[1].clone(), small(10), small(20), small(30)];
    for picture in &pictures {
        writer.write_all(picture).unwrap();
        // A picture that follows too fast would replace it. The camera remembers it before it delivers it.
        let path = "/snapshot/front?max_age=60";
        wait_until("the camera delivers the picture", || get(server.address, path).body == *picture);
    }
    let clip = get(server.address, "/clip/front").body;
    let contains = |bytes: &[u8]| clip.windows(bytes.len()).any(|window| window == bytes);
    let found: Vec<_> = pictures.iter().map(|picture| contains(picture)).collect();
    assert_eq!(found, [false, false, true, true, true]);
    // PixelWidth and PixelHeight (RFC 9559, section 5.1.4.1.28).
    assert!(contains(&[0xb0, 1, 0, 0, 0, 0, 0, 0, 1, 80]) && contains(&[0xba, 1, 0, 0, 0, 0, 0, 0, 1, 48]));
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
        ("/clip/yard", 404, "the camera was closed"),
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
