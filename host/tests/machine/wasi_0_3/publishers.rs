//! Publishers of channels.

use std::time::Instant;

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, guests, wait_until};

use super::channels::numbers;
use super::{component, guest, start, under_way};

/// Reads parts until one starts with this text.
#[track_caller]
fn read_until(viewer: &mut Viewer, text: &str) {
    viewer.skip_to(|part| part.starts_with(text.as_bytes()));
}

pub fn take_over_from_each_other() {
    let server = start(&["--drain", "0.2"]);
    let mut viewers: Vec<_> = (0..20).map(|_| Viewer::watch(server.address, "/channel/join/tick")).collect();
    viewers.iter_mut().for_each(|viewer| read_until(viewer, "opening\ntick "));
    let older = guests::publishing("tick", guests::PUBLISHES, "older");
    let newer = guests::variant(&component(), 1);
    for (guest, part) in [(&older, "older"), (&newer, "tick "), (&component(), "tick "), (&older, "older")] {
        assert_eq!(server.put_guest(guest).status, 200);
        for viewer in &mut viewers {
            read_until(viewer, part);
        }
        wait_until("the old guest is gone", || server.generations()["draining"] == serde_json::json!([]));
        for viewer in &mut viewers {
            read_until(viewer, part);
            (0..5).for_each(|_| assert!(viewer.chunk().starts_with(part.as_bytes())));
        }
    }
}

pub fn return_ends_the_stream() {
    let server = start(&[]);
    for _ in 0..2 {
        let stream = get(server.address, "/channel/join/returns").text();
        let parts = stream.strip_prefix("opening\n").unwrap().strip_suffix("closing\n").unwrap();
        let numbers = numbers(parts, "returns");
        // On a busy machine, the viewer may be sent the first ones too late, but never without the last.
        assert!(numbers.is_sorted_by(|one, next| one < next) && numbers.last() == Some(&2), "{stream:?}");
    }
    wait_until("the publisher has ended", || under_way(&server) == 0);
}

pub fn failures_are_restarted() {
    let server = start(&[]);
    for (channel, failure) in [
        ("traps", "the guest trapped"),
        ("spins", "the guest computed for 2 seconds without waiting for anything"),
        ("leaks", "the guest trapped"),
        ("large", "the guest trapped"),
    ] {
        let mut viewer = Viewer::watch(server.address, &format!("/channel/join/{channel}"));
        assert!(viewer.chunk().starts_with(b"opening\n"));
        let message = format!("channel {channel}: its publisher failed and will be restarted: {failure}");
        server.wait_for_log(&message);
        // The restarted publisher begins again.
        read_until(&mut viewer, &format!("{channel} 0."));
        assert_eq!(get(server.address, "/ok").status, 200);
    }
    server.wait_for_log("out of paper");
}

pub fn failures_are_rolled_back() {
    let older = tempfile::tempdir().unwrap();
    let file = older.path().join("guest.wasm");
    std::fs::write(&file, guests::publishing("nothing", guests::PUBLISHES, "good")).unwrap();
    let server = Server::start(&["--camera", "emulated,fps=20", "--guest", file.to_str().unwrap()]);
    let mut viewer = Viewer::watch(server.address, "/bad");
    assert_eq!(viewer.chunk(), b"opening\ngood");
    assert_eq!(server.put_guest(&component()).status, 200);
    let deadline = Instant::now() + DEADLINE;
    while server.generation() == 2 {
        assert!(Instant::now() < deadline, "the new guest is not rolled back");
        // The old publisher continues until the new one pushes.
        assert_eq!(viewer.chunk(), b"good");
    }
    server.wait_for_log("failed on 5 of its first 10 requests");
    (0..20).for_each(|_| assert_eq!(viewer.chunk(), b"good"));
}

pub fn the_host_pushes_frames_once_at_a_time() {
    let server = start(&[]);
    let mut viewer = Viewer::watch(server.address, "/channel/join/frames");
    read_until(&mut viewer, "ErrorCode::Other(\"another call of `push-frames` has not returned\")\n");
    (0..3).for_each(|_| read_until(&mut viewer, "frame "));
}

/// As with WASI 0.2 (`frame_pushing::the_host_fills_in_heads_and_returns_the_last_frame`). The frame was not returned if
/// the guest had taken all images that it may hold in the meantime.
pub fn the_host_fills_in_heads_and_returns_the_last_frame() {
    let server = Server::start(&["--camera", "emulated,fps=0.5", "--guest", guest()]);
    let mut viewer = Viewer::watch(server.address, "/channel/join/pieces");
    let chunk = viewer.chunk();
    let part = chunk.strip_prefix(b"opening\n").unwrap();
    let end = part.iter().position(|byte| *byte == b'\n').unwrap();
    let head = std::str::from_utf8(&part[..end]).unwrap();
    let image = part[end + 1..].strip_suffix(b"tail").unwrap();
    assert!(image.starts_with(&[0xff, 0xd8]) && image.ends_with(&[0xff, 0xd9]));
    let [number, length, time] = [0, 1, 2].map(|index| head.split(' ').nth(index).unwrap());
    number.strip_prefix("n=").unwrap().parse::<u64>().unwrap();
    assert_eq!(length, format!("l={}", image.len()));
    let (seconds, microseconds) = time.strip_prefix("t=").unwrap().split_once('.').unwrap();
    assert!(seconds.parse::<u64>().unwrap() > 1_600_000_000 && microseconds.len() == 6, "{time}");
    assert_eq!(viewer.chunk(), [b"again\n", image, b"tail"].concat());
}

/// The errors of `push-frames` if the head is too long, has too many pieces, or all images are held.
const TOO_MUCH: &str = "opening\nErrorCode::PartTooLarge(4194304); \
    ErrorCode::Other(\"the head has more than 64 pieces\"); \
    ErrorCode::Other(\"the component holds the maximum number of images; drop one first\")";

pub fn limits_hold() {
    let server = start(&["--drain", "0.2"]);
    for (channel, part) in [
        ("large", "opening\nErrorCode::PartTooLarge(4194304).\n"),
        ("feeds", "opening\n16 feeds.\n"),
        ("too-much", TOO_MUCH),
    ] {
        let mut viewer = Viewer::watch(server.address, &format!("/channel/join/{channel}"));
        assert_eq!(viewer.chunk(), part.as_bytes());
    }
    // A publisher that is a viewer of its own channel keeps it open, but not beyond its generation.
    let mut viewer = Viewer::watch(server.address, "/channel/join/itself");
    assert_eq!(viewer.chunk(), b"opening\n2 viewers.\n");
    drop(viewer);
    wait_until("the viewer has left", || get(server.address, "/channel/viewers/itself").text() == "1 [\"\"]");
    assert_eq!(server.put_guest(&guests::built_in()).status, 200);
    wait_until("the old guest is gone", || server.generations()["draining"] == serde_json::json!([]));
    wait_until("the channel is closed", || under_way(&server) == 0);
}
