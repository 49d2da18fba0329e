//! Publishers that let the host push the frames of a camera (`channel.push-frames`).

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, guests, wait_until};

/// Returns the image of a part that has this head.
fn image(part: &[u8], head: &str) -> Vec<u8> {
    part.strip_prefix(head.as_bytes()).unwrap().strip_suffix(b"tail").unwrap().to_vec()
}

/// The values after `n=`, `l=` and `t=`, in order.
fn values(head: &str) -> [&str; 3] {
    let mut values = head.trim_end().split(' ').map(|field| field.split_once('=').unwrap().1);
    [(); 3].map(|()| values.next().unwrap())
}

#[test]
fn the_host_fills_in_heads_and_returns_the_last_frame() {
    let server = Server::start(&["--camera", "emulated"]);
    assert_eq!(server.put_guest(&guests::pushing_frames()).status, 200);
    let mut viewer = Viewer::watch(server.address, "/bad");
    let (mut last, mut seen) = (None::<(u64, Vec<u8>)>, 0);
    let deadline = Instant::now() + DEADLINE;
    // Until three frames were followed by the same again.
    while seen < 3 {
        assert!(Instant::now() < deadline, "no frame is pushed again");
        let chunk = viewer.chunk();
        let part = chunk.strip_prefix(b"opening\n").unwrap_or(&chunk);
        if part.starts_with(b"again\n") {
            let again = image(part, "again\n");
            seen += usize::from(last.take().is_some_and(|(_, frame)| frame == again));
            continue;
        }
        let end = part.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let head = std::str::from_utf8(&part[..end]).unwrap();
        let [number, length, time] = values(head);
        let frame = image(part, head);
        assert_eq!(frame.len(), length.parse::<usize>().unwrap());
        assert!(frame.starts_with(&[0xff, 0xd8]) && frame.ends_with(&[0xff, 0xd9]));
        let (seconds, microseconds) = time.split_once('.').unwrap();
        assert_eq!(microseconds.len(), 6);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!((now - 60..=now).contains(&seconds.parse().unwrap()), "{time} at {now}");
        let number = number.parse().unwrap();
        assert!(last.is_none_or(|(last, _)| last < number));
        last = Some((number, frame));
    }
}

/// The camera is open, so the newest frame is there already.
#[test]
fn a_new_viewer_of_a_slow_camera_is_sent_the_newest_frame_at_once() {
    // The next frame comes after the deadline of the test.
    let server = Server::start(&["--camera", "emulated,fps=0.002,keep-open"]);
    wait_until("the first frame is captured", || get(server.address, "/snapshot").status == 200);
    let frame = get(server.address, "/snapshot").body;
    for path in ["/video_feed", "/stream", "/pictures"] {
        let mut viewer = Viewer::watch(server.address, path);
        assert_eq!(viewer.part().jpeg, frame, "{path}");
    }
}

#[test]
fn heads_and_images_are_limited() {
    let server = Server::start(&["--camera", "emulated,fps=50"]);
    assert_eq!(server.put_guest(&guests::pushing_frames_beyond_the_limits()).status, 200);
    // `part-too-large`, and `other` twice.
    assert_eq!(Viewer::watch(server.address, "/bad").chunk(), b"opening\n677");
}
