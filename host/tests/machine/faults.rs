//! What viewers see when something goes wrong with a camera. Each test is a row of the table of outages in the
//! documentation.

use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;

use hotshoe_fakecam::test_pattern::{BARS, SQUARES, bar_at, square_size};
use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::fakecam::{Control, frames, stamped_sequence};
use hotshoe_test_support::pictures::jpeg_size;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, wait_until};

use crate::fakecam::serve;

/// How many frames in a row show that the camera streams again.
const STREAMING: usize = 60;

/// Reads until [`STREAMING`] frames of the camera have arrived in a row and in order. Does not check the rate, which
/// depends on the machine; a benchmark measures it.
#[track_caller]
fn streams_again(viewer: &mut Viewer) {
    let mut numbers = Vec::new();
    let deadline = Instant::now() + DEADLINE;
    while numbers.len() < STREAMING {
        assert!(Instant::now() < deadline, "the camera does not come back");
        match stamped_sequence(&viewer.part().jpeg) {
            Some(number) => numbers.push(number),
            None => numbers.clear(),
        }
    }
    // A restarted stream counts from 0.
    let restarts = numbers.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!(restarts <= 1, "{numbers:?}");
}

/// Reads until a placeholder arrives, and returns it.
fn placeholder(viewer: &mut Viewer) -> Vec<u8> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        assert!(Instant::now() < deadline, "no placeholder arrives");
        let jpeg = viewer.part().jpeg;
        if stamped_sequence(&jpeg).is_none() {
            return jpeg;
        }
    }
}

/// Causes an outage of a camera with 20 viewers, and checks that all of them see the outage and then the camera again.
fn twenty_viewers_stay(server: &Server, camera: &str, cause_outage: impl FnOnce()) {
    const VIEWERS: usize = 20;
    let (watching, started) = mpsc::channel();
    let path = format!("/video_feed/{camera}");
    thread::scope(|scope| {
        let viewers: Vec<_> = (0..VIEWERS)
            .map(|_| {
                let (watching, path) = (watching.clone(), &path);
                scope.spawn(move || {
                    let mut viewer = Viewer::watch(server.address, path);
                    let mut first = viewer.part().jpeg;
                    // On a busy machine, an outage may begin before all viewers are connected.
                    while stamped_sequence(&first).is_none() {
                        first = viewer.part().jpeg;
                    }
                    watching.send(()).unwrap();
                    assert_eq!(jpeg_size(&placeholder(&mut viewer)), jpeg_size(&first));
                    streams_again(&mut viewer);
                })
            })
            .collect();
        for _ in 0..VIEWERS {
            started.recv_timeout(DEADLINE).expect("every viewer sees the camera");
        }
        cause_outage();
        viewers.into_iter().for_each(|viewer| viewer.join().unwrap());
    });
    assert!(!server.log().contains("panicked"), "{}", server.log());
    // Every device is closed.
    server.wait_for_log(&format!("camera {camera}: closed"));
    wait_until("the capture thread has ended", || server.capture_threads() == 0);
    let files = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let targets = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
    assert_eq!(targets.filter(|target| target.starts_with("/dev/video")).count(), 0);
}

pub fn unplugged() {
    let control = Control::new();
    let server = serve(&[("FAKECAM_CTL", control.path()), ("FAKECAM_STAMP", "1")], "/dev/video0");
    twenty_viewers_stay(&server, "video0", || {
        control.set("FAKECAM_UNPLUGGED=1\n");
        server.wait_for_log("WARN camera video0: ");
        // A new viewer sees the placeholder, and a snapshot fails with the reason.
        let mut viewer = Viewer::watch(server.address, "/video_feed");
        placeholder(&mut viewer);
        let refused = get(server.address, "/snapshot");
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
        assert!(refused.text().contains("/dev/video0"), "{}", refused.text());
        control.set("");
    });
    assert_eq!(server.log().matches("camera video0: open").count(), 2, "{}", server.log());
}

pub fn back_at_another_node() {
    let control = Control::new();
    control.set("FAKECAM1_UNPLUGGED=1\n");
    let settings = [
        ("FAKECAM_CTL", control.path()),
        ("FAKECAM_STAMP", "1"),
        ("FAKECAM_DEVICES", "2"),
        ("FAKECAM_CARD", "The camera"),
    ];
    let server = serve(&settings, "cam=/dev/video0");
    twenty_viewers_stay(&server, "cam", || control.set("FAKECAM0_UNPLUGGED=1\n"));
    server.wait_for_log("WARN the camera from /dev/video0 is now at /dev/video1");
}

pub fn never_another_camera() {
    let control = Control::new();
    let settings = [
        ("FAKECAM_CTL", control.path()),
        ("FAKECAM_STAMP", "1"),
        ("FAKECAM_DEVICES", "2"),
        ("FAKECAM_CARD", "The camera"),
    ];
    let server = serve(&settings, "/dev/video0");
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    stamped_sequence(&viewer.part().jpeg).unwrap();
    control.set("FAKECAM0_UNPLUGGED=1\n");
    placeholder(&mut viewer);
    // It is retried several times while the other camera is present.
    for _ in 0..4 {
        assert_eq!(stamped_sequence(&viewer.part().jpeg), None);
    }
    control.set("");
    streams_again(&mut viewer);
    assert!(!server.log().contains("/dev/video1"), "{}", server.log());
}

pub fn busy() {
    let server = serve(&[("FAKECAM_FAIL", "STREAMON=EBUSY:3"), ("FAKECAM_STAMP", "1")], "/dev/video0");
    let refused = get(server.address, "/snapshot");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.text().contains("/dev/video0 is in use by another program"), "{}", refused.text());
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    streams_again(&mut viewer);
    let log = server.log();
    assert_eq!(log.matches("WARN camera video0: /dev/video0 is in use").count(), 1, "once per cause:\n{log}");
}

pub fn stream_does_not_start() {
    let server = serve(&[("FAKECAM_FAIL", "STREAMON=EIO:2"), ("FAKECAM_STAMP", "1")], "/dev/video0");
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    placeholder(&mut viewer);
    server.wait_for_log("WARN camera video0: /dev/video0 failed to start its stream");
    streams_again(&mut viewer);
}

pub fn transient_errors() {
    // Temporary errors do not cause the camera to be reopened.
    let server = serve(&[("FAKECAM_FAIL", "DQBUF=EIO:9@20"), ("FAKECAM_STAMP", "1")], "/dev/video0");
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    for _ in 0..60 {
        assert!(stamped_sequence(&viewer.part().jpeg).is_some());
    }
    assert_eq!(server.warnings(), [""; 0]);
}

pub fn stalled() {
    let faults = [("FAKECAM_STALL_AFTER", "30"), ("FAKECAM_STALL_SECONDS", "5"), ("FAKECAM_STAMP", "1")];
    let server = serve(&faults, "/dev/video0");
    twenty_viewers_stay(&server, "video0", || {
        server.wait_for_log("WARN camera video0: no picture from /dev/video0 for 3 seconds");
    });
}

/// Every 5th image is truncated, every 7th corrupt, every 11th flagged and every 13th empty.
pub fn damaged_frames() {
    let faults = [
        ("FAKECAM_STAMP", "1"),
        ("FAKECAM_TRUNCATE_EVERY", "5"),
        ("FAKECAM_CORRUPT_EVERY", "7"),
        ("FAKECAM_ERROR_EVERY", "11"),
        ("FAKECAM_EMPTY_EVERY", "13"),
    ];
    let server = serve(&faults, "/dev/video0");
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    let seen: Vec<_> = (0..200).map(|_| stamped_sequence(&viewer.part().jpeg).unwrap()).collect();
    let is_damaged = |number: &u64| [5, 7, 11, 13].iter().any(|every| (number + 1).is_multiple_of(*every));
    let damaged: Vec<_> = seen.iter().filter(|number| is_damaged(number)).collect();
    assert!(damaged.is_empty(), "damaged images were sent: {damaged:?}");
    // How many good images a viewer gets depends on the machine.
    assert!(seen.is_sorted(), "an image was sent after a newer one: {seen:?}");
    drop(viewer);
    // The log reports the lost frames of each kind.
    let closed = server.wait_for_log("camera video0: closed");
    for cause in ["flagged", "empty", "malformed", "corrupt"] {
        assert!(closed.contains(cause), "{closed}");
    }
}

/// Decodes an image to RGB.
pub fn decode(jpeg: &[u8]) -> Vec<u8> {
    JpegDecoder::new(ZCursor::new(jpeg)).decode().unwrap()
}

pub fn without_tables() {
    let server = serve(&[("FAKECAM_STRIP_DHT", "1")], "/dev/video0,size=640x480");
    let picture = get(server.address, "/snapshot");
    assert_eq!(picture.status, 200);
    let has_tables = picture.body.windows(2).any(|marker| marker == [0xFF, 0xC4]);
    assert!(has_tables, "the tables that programs other than browsers need are missing");
    let originals = std::fs::read_dir(frames()).unwrap().flatten();
    let mut originals = originals.filter(|file| file.file_name().to_string_lossy().starts_with("640x480"));
    let shown = decode(&picture.body);
    assert!(originals.any(|file| decode(&std::fs::read(file.path()).unwrap()) == shown), "the picture has changed");
}

pub fn padded() {
    let server = serve(&[("FAKECAM_PAD", "100"), ("FAKECAM_STAMP", "1")], "/dev/video0");
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    for _ in 0..30 {
        assert!(viewer.part().jpeg.ends_with(&[0xFF, 0xD9]));
    }
}

/// Converts a limited-range colour to RGB (BT.601).
fn rgb([y, u, v]: [u8; 3]) -> [i32; 3] {
    let (y, u, v) = (f64::from(y) - 16.0, f64::from(u) - 128.0, f64::from(v) - 128.0);
    [1.164 * y + 1.596 * v, 1.164 * y - 0.392 * u - 0.813 * v, 1.164 * y + 2.017 * u]
        .map(|c| c.round().clamp(0.0, 255.0) as i32)
}

/// Reads the frame number that the camera draws into a YUYV picture: 32 black or white squares from the top left.
pub fn drawn_number(pixels: &[u8], width: usize) -> u64 {
    let square = square_size(width);
    let is_white = |index: usize| pixels[(square / 2 * width + index * square + square / 2) * 3] > 127;
    (0..SQUARES).fold(0, |number, index| number << 1 | u64::from(is_white(index)))
}

/// Checks that a picture shows the bars that belong to the frame number in it, with a tolerance for JPEG. Returns the
/// number.
#[track_caller]
pub fn assert_bars(jpeg: &[u8]) -> u64 {
    let (width, height) = jpeg_size(jpeg);
    let (width, height) = (usize::from(width), usize::from(height));
    let pixels = decode(jpeg);
    let number = drawn_number(&pixels, width);
    let mut compared = 0;
    for x in (0..width).step_by(4) {
        let bar = |x: usize| bar_at(x, width, number as u32);
        // Colours bleed across the edge of a bar.
        if bar(x.saturating_sub(16)) != bar((x + 16).min(width - 1)) {
            continue;
        }
        for y in (square_size(width) + 32..height).step_by(40) {
            let at = (y * width + x) * 3;
            for (actual, expected) in pixels[at..at + 3].iter().zip(rgb(BARS[bar(x)])) {
                assert!(
                    (i32::from(*actual) - expected).abs() <= 12,
                    "at {x},{y} of {number}: {actual} instead of {expected}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 1000);
    number
}

pub fn without_mjpg() {
    let settings = [("FAKECAM_FORMATS", "YUYV"), ("FAKECAM_SIZES", "640x480"), ("FAKECAM_FPS", "15")];
    let server = serve(&settings, "auto");
    assert!(server.log().contains("camera video0: Fakecam 0 at /dev/video0"), "{}", server.log());
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    let mut last = assert_bars(&viewer.part().jpeg);
    for _ in 0..30 {
        let number = assert_bars(&viewer.part().jpeg);
        assert!(number >= last, "{number} after {last}");
        last = number;
    }
    assert!(server.log().contains("camera video0: opened at 640x480, 15 fps, YUYV"), "{}", server.log());
    let threads = |name: &str| server.threads().iter().filter(|(_, other)| other.starts_with(name)).count();
    assert_eq!((threads("capture-"), threads("encode-")), (1, 1));
    drop(viewer);
    server.wait_for_log("camera video0: closed");
    assert_eq!(threads("encode-"), 0);
}

pub fn faster_than_the_encoder() {
    // With one processor, which the server inherits from this thread, images are not divided among threads.
    let mut processor = CpuSet::new();
    let allowed = sched_getaffinity(None).unwrap();
    processor.set((0..CpuSet::MAX_CPU).find(|number| allowed.is_set(*number)).unwrap());
    sched_setaffinity(None, &processor).unwrap();
    let settings = [("FAKECAM_FORMATS", "YUYV"), ("FAKECAM_SIZES", "1920x1080"), ("FAKECAM_RATE", "500")];
    let server = serve(&settings, "/dev/video0,quality=100");
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    let mut last = assert_bars(&viewer.part().jpeg);
    let mut skipped = 0;
    for _ in 0..30 {
        let number = assert_bars(&viewer.part().jpeg);
        assert!(number >= last, "{number} after {last}");
        skipped += number.saturating_sub(last + 1);
        last = number;
    }
    assert!(skipped > 0);
    // What was captured and not encoded is counted.
    let status = get(server.admin.unwrap(), "/status").json();
    assert!(status["cameras"][0]["lost"]["late"].as_u64().unwrap() > 0, "{status}");
}

pub fn no_format() {
    let server = serve(&[], "/dev/video0,format=NV12");
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    placeholder(&mut viewer);
    server.wait_for_log("camera video0: /dev/video0 does not offer NV12 (offered: MJPG, YUYV); see `hotshoe cameras`");
}

pub fn one_of_two_stalled() {
    let settings = [("FAKECAM_DEVICES", "2"), ("FAKECAM_STAMP", "1"), ("FAKECAM0_STALLED", "1")];
    let mut command = crate::fakecam::with_camera(&settings);
    command.args(["--camera", "a=/dev/video0", "--camera", "b=/dev/video1", "--linger", "0.2"]);
    let server = Server::start_command(command);
    let mut stalled = Viewer::watch(server.address, "/video_feed/a");
    let mut good = Viewer::watch(server.address, "/video_feed/b");
    streams_again(&mut good);
    placeholder(&mut stalled);
    streams_again(&mut good);
    assert!(!server.log().contains("WARN camera b"), "{}", server.log());
}
