//! ImageInfo cameras on scripted machines: what their readers see of everything that goes wrong.

use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::task::JoinHandle;

use super::device::DeviceCaps;
use super::scripted::{Gadget, Operation, Script, Step};
use super::{CameraOptions, V4l2};
use crate::controls::ControlError;
use crate::dimensions::Dimensions;
use crate::error::SourceError;
use crate::feed::Feed;
use crate::fourcc::FourCc;
use crate::frame::Frame;
use crate::hub::{Camera, Linger};
use crate::source::Source;
use crate::status::{OutageCause, State};

const NODE: &str = "/dev/video0";
const OTHER_NODE: &str = "/dev/video2";
const PICTURE: &[u8] = include_bytes!("../../../../../frames/1.jpg");

/// What is waited for comes long before.
const DEADLINE: Duration = Duration::from_secs(60);

/// A camera that runs, and one who reads it.
struct Stage {
    script: Script,
    camera: Arc<Camera>,
    feed: Feed,
    supervisor: JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

fn start(script: &Script, request: CameraOptions) -> Stage {
    let source = script.devices().camera(NODE.as_ref(), request).unwrap();
    run(script, source)
}

fn run(script: &Script, source: V4l2) -> Stage {
    let camera = Arc::new(Camera::new("cam".into(), Arc::new(source), Linger::For(Duration::ZERO)));
    let feed = camera.feed();
    let supervisor = tokio::spawn(camera.clone().supervise());
    Stage { script: script.clone(), camera, feed, supervisor }
}

impl Stage {
    /// Let the camera give a picture, and have it.
    async fn picture(&mut self, node: &str) -> Arc<Frame> {
        self.script.give(node, Step::good(PICTURE));
        self.feed.ready().await;
        self.feed.newest().unwrap()
    }

    /// Wait until the camera is lost for this cause. Returns the reason.
    async fn lost(&mut self, cause: OutageCause) -> String {
        loop {
            if let State::Lost(outage) = self.camera.status().state
                && outage.cause == cause
            {
                return outage.message.to_string();
            }
            a_moment().await;
        }
    }
}

/// Long enough for others to get on. Real or not: in tests where time is paused, it passes.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Wait until streams were started so often.
async fn started(script: &Script, count: usize) {
    while script.starts() < count {
        a_moment().await;
    }
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("it takes too long")
}

#[tokio::test]
async fn an_unplugged_camera_comes_back_at_once_and_its_reader_never_left() {
    let script = Script::default();
    script.plug(NODE, Gadget::webcam("Cam"));
    let mut stage = start(&script, CameraOptions::default());
    in_time(async {
        let before = stage.picture(NODE).await;
        for round in 0..5 {
            script.unplug(NODE);
            let reason = stage.lost(OutageCause::NotFound).await;
            assert!(reason.contains(NODE), "{reason}");
            let placeholder = stage.feed.placeholder().unwrap();
            assert_eq!(placeholder.dimensions, Dimensions { width: 640, height: 480 });
            assert!(stage.feed.newest().is_none(), "a picture of before is none of now");
            script.plug(NODE, Gadget::webcam("Cam"));
            // The first try may have been just before: it is not waited for the second, which is seconds later.
            started(&script, round + 2).await;
            let after = stage.picture(NODE).await;
            assert!(after.sequence > before.sequence);
            assert!(stage.feed.placeholder().is_none());
        }
    })
    .await;
    drop(stage);
    let closed = async {
        while script.handles() > 0 {
            a_moment().await
        }
    };
    in_time(closed).await;
}

#[tokio::test]
async fn a_camera_is_found_under_another_node() {
    let script = Script::default();
    script.plug(NODE, Gadget::webcam("Cam"));
    let mut stage = start(&script, CameraOptions::default());
    in_time(async {
        stage.picture(NODE).await;
        script.unplug(NODE);
        stage.lost(OutageCause::NotFound).await;
        // Another camera takes its place, and it comes back elsewhere.
        script.plug(NODE, Gadget::webcam("Other"));
        script.plug(OTHER_NODE, Gadget::webcam("Cam"));
        stage.picture(OTHER_NODE).await;
    })
    .await;
    assert_eq!(stage.camera.description(), format!("Cam at {OTHER_NODE}"));
    assert_eq!(script.left(NODE), 0);
}

#[tokio::test]
async fn a_camera_is_found_at_another_plug() {
    let script = Script::default();
    script.plug(NODE, Gadget::webcam("Cam"));
    let mut stage = start(&script, CameraOptions::default());
    in_time(async {
        stage.picture(NODE).await;
        script.unplug(NODE);
        script.plug(OTHER_NODE, Gadget { bus: "usb-elsewhere".into(), ..Gadget::webcam("Cam") });
        stage.picture(OTHER_NODE).await;
    })
    .await;
}

#[tokio::test]
async fn a_camera_is_never_taken_for_another_of_its_make() {
    let script = Script::default();
    let second = Gadget { bus: "usb-second".into(), ..Gadget::webcam("Cam") };
    script.plug(NODE, Gadget::webcam("Cam"));
    script.plug(OTHER_NODE, second.clone());
    let devices = script.devices();
    let first = devices.camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    let _other = devices.camera(OTHER_NODE.as_ref(), CameraOptions::default()).unwrap();
    script.unplug(NODE);
    assert!(matches!(first.open().err(), Some(SourceError::NotFound { .. })), "that is the other one");
    // Nor when the other one comes back in its place.
    script.unplug(OTHER_NODE);
    script.plug(NODE, second);
    assert!(matches!(first.open().err(), Some(SourceError::NotFound { .. })), "that is the other one");
}

#[tokio::test]
async fn a_stranger_of_its_make_that_was_always_there_is_not_the_camera() {
    let script = Script::default();
    script.plug(NODE, Gadget::webcam("Cam"));
    script.plug(OTHER_NODE, Gadget { bus: "usb-stranger".into(), ..Gadget::webcam("Cam") });
    let mut stage = start(&script, CameraOptions::default());
    in_time(async {
        stage.picture(NODE).await;
        script.unplug(NODE);
        stage.lost(OutageCause::NotFound).await;
        assert!(stage.camera.controls().is_err(), "those are the stranger's");
        script.plug(NODE, Gadget::webcam("Cam"));
        started(&script, 2).await;
        stage.picture(NODE).await;
    })
    .await;
}

#[test]
fn a_camera_that_cannot_be_opened_is_not_looked_for_elsewhere() {
    let script = Script::default();
    script.plug(NODE, Gadget::webcam("Cam"));
    let camera = script.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    script.plug(OTHER_NODE, Gadget { bus: "usb-stranger".into(), ..Gadget::webcam("Cam") });
    // As after each plugging in, until its permissions are set.
    script.fail(NODE, Operation::Open, Errno::ACCESS.raw_os_error(), 1);
    assert!(matches!(camera.open().err(), Some(SourceError::AccessDenied { .. })));
}

#[test]
fn of_two_cameras_of_a_make_that_are_away_none_is_guessed() {
    let script = Script::default();
    let gadget = |bus: &str| Gadget { bus: bus.into(), ..Gadget::webcam("Cam") };
    script.plug(NODE, gadget("usb-1"));
    script.plug(OTHER_NODE, gadget("usb-2"));
    let devices = script.devices();
    let first = devices.camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    let second = devices.camera(OTHER_NODE.as_ref(), CameraOptions::default()).unwrap();
    script.unplug(NODE);
    script.unplug(OTHER_NODE);
    script.plug("/dev/video7", gadget("usb-3"));
    assert!(matches!(first.open().err(), Some(SourceError::NotFound { .. })));
    assert!(matches!(second.open().err(), Some(SourceError::NotFound { .. })));
    // By its plug, each is known.
    script.plug("/dev/video8", gadget("usb-2"));
    assert!(second.open().is_ok());
    assert!(first.open().is_err());
}

#[test]
fn who_names_a_device_by_what_it_is_gets_no_other() {
    const BY_ID: &str = "/dev/v4l/by-id/usb-Cam_1234-video-index0";
    let script = Script::default();
    script.plug(BY_ID, Gadget::webcam("Cam"));
    let camera = script.devices().camera(BY_ID.as_ref(), CameraOptions::default()).unwrap();
    script.unplug(BY_ID);
    script.plug(NODE, Gadget { bus: "usb-stranger".into(), ..Gadget::webcam("Cam") });
    assert!(matches!(camera.open().err(), Some(SourceError::NotFound { .. })));
    // At another plug it is the same.
    script.plug(BY_ID, Gadget { bus: "usb-elsewhere".into(), ..Gadget::webcam("Cam") });
    assert!(camera.open().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_device_that_does_not_answer_is_said_not_to() {
    let script = Script::default();
    let source = script.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    script.plug(NODE, Gadget::webcam("Cam"));
    script.silence(true);
    let mut stage = run(&script, source);
    let reason = stage.lost(OutageCause::Stalled).await;
    assert!(reason.starts_with("no answer from the camera for 6 seconds"), "{reason}");
    script.silence(false);
    started(&script, 1).await;
    stage.picture(NODE).await;
    assert_eq!(stage.camera.status().state, State::Live);
}

#[tokio::test(start_paused = true)]
async fn a_raw_camera_that_came_back_while_nobody_read_it_is_not_lost() {
    let script = Script::default();
    let gadget = Gadget::webcam("Cam");
    script.plug(NODE, Gadget { formats: gadget.formats[1..].to_vec(), ..gadget });
    script.fail(NODE, Operation::SetFormat, Errno::BUSY.raw_os_error(), 2);
    let source = script.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    let camera = Arc::new(Camera::new("cam".into(), Arc::new(source), Linger::Always));
    let supervisor = tokio::spawn(camera.clone().supervise());
    started(&script, 1).await;
    assert!(matches!(camera.status().state, State::Lost(_)), "it has given nothing yet");
    script.give(NODE, Step::good(&vec![128; 640 * 480 * 2]));
    while camera.status().state != State::Live {
        a_moment().await;
    }
    assert!(camera.status().placeholder.is_none());
    assert_eq!(camera.counts().frames, 0, "nobody saw it");
    supervisor.abort();
}

#[tokio::test]
async fn a_button_is_pressed_once() {
    let script = Script::default();
    script.plug(NODE, Gadget::webcam("Cam"));
    let camera = script.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    camera.set_control("pan_reset", 1).unwrap();
    camera.set_control("brightness", 5).unwrap();
    drop(camera.open().unwrap());
    drop(camera.open().unwrap());
    assert_eq!(script.set(), [(4, 1), (1, 5), (1, 5), (1, 5)]);
}

#[tokio::test]
async fn another_camera_in_the_same_place_is_the_camera_now() {
    let script = Script::default();
    script.plug(NODE, Gadget::webcam("Cam"));
    let mut stage = start(&script, CameraOptions::default());
    in_time(async {
        stage.picture(NODE).await;
        script.unplug(NODE);
        script.plug(NODE, Gadget::webcam("Better"));
        stage.lost(OutageCause::NotFound).await;
        stage.picture(NODE).await;
    })
    .await;
    assert_eq!(stage.camera.description(), format!("Better at {NODE}"));
}

#[tokio::test]
async fn a_camera_that_is_not_there_at_the_start_is_waited_for() {
    let script = Script::default();
    let mut stage = start(&script, CameraOptions::default());
    in_time(async {
        let reason = stage.lost(OutageCause::NotFound).await;
        assert!(reason.starts_with("no device at /dev/video0"), "{reason}");
        script.plug(NODE, Gadget::webcam("Cam"));
        started(&script, 1).await;
        stage.picture(NODE).await;
    })
    .await;
}

// Time is not waited for in these, but passes when nothing else is to be done.

/// Let an operation fail so often, and see the camera lost for this cause, and then back. Returns the reason.
async fn back_after(script: &Script, operation: Operation, error: Errno, count: usize, cause: OutageCause) -> String {
    script.plug(NODE, Gadget::webcam("Cam"));
    script.fail(NODE, operation, error.raw_os_error(), count);
    let mut stage = start(script, CameraOptions::default());
    let reason = stage.lost(cause).await;
    started(script, 1).await;
    stage.picture(NODE).await;
    reason
}

#[tokio::test(start_paused = true)]
async fn a_busy_camera_is_tried_until_it_is_free_and_who_has_it_is_named() {
    let script = Script::default();
    script.hold(4711, "cheese");
    let reason = back_after(&script, Operation::SetFormat, Errno::BUSY, 3, OutageCause::Busy).await;
    assert_eq!(reason, "/dev/video0 is in use by another program, cheese (process 4711); end that");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_does_not_start_is_tried_again() {
    let reason = back_after(&Script::default(), Operation::Start, Errno::IO, 5, OutageCause::Failed).await;
    assert!(reason.starts_with("/dev/video0 failed to start its stream: "), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_may_not_be_used_is_tried_until_it_may() {
    let reason = back_after(&Script::default(), Operation::Open, Errno::ACCESS, 4, OutageCause::AccessDenied).await;
    assert!(reason.contains("usermod -aG video"), "{reason}");
}

#[tokio::test]
async fn two_cameras_do_not_wait_for_each_other() {
    let script = Script::default();
    script.plug(NODE, Gadget::webcam("Silent"));
    script.plug(OTHER_NODE, Gadget::webcam("Cam"));
    let silent = start(&script, CameraOptions::default());
    let mut other = run(&script, script.devices().camera(OTHER_NODE.as_ref(), CameraOptions::default()).unwrap());
    in_time(async {
        for _ in 0..100 {
            other.picture(OTHER_NODE).await;
        }
    })
    .await;
    assert_eq!(silent.camera.status().state, State::Starting);
    assert_eq!(other.camera.counts().frames, 100);
}

#[tokio::test]
async fn a_camera_without_jpeg_is_encoded_while_somebody_reads_it() {
    let script = Script::default();
    let gadget = Gadget::webcam("Cam");
    script.plug(NODE, Gadget { formats: gadget.formats[1..].to_vec(), ..gadget });
    let source = script.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    let camera = Arc::new(Camera::new("cam".into(), Arc::new(source), Linger::Always));
    let supervisor = tokio::spawn(camera.clone().supervise());
    let raw = vec![128; 640 * 480 * 2];
    in_time(async {
        let mut feed = camera.feed();
        script.give(NODE, Step::good(&raw));
        feed.ready().await;
        let first = feed.newest().unwrap();
        assert_eq!(first.image.dimensions, Dimensions { width: 640, height: 480 });
        drop(feed);
        script.give(NODE, Step::good(&raw));
        while camera.status().frame.is_some() {
            a_moment().await;
        }
        // Who comes now gets none of those that nobody saw.
        let mut feed = camera.feed();
        assert!(feed.newest().is_none());
        script.give(NODE, Step::good(&raw));
        feed.ready().await;
        assert_eq!(feed.newest().unwrap().sequence, first.sequence + 2);
        assert_eq!(camera.counts().frames, 2, "those that were made");
    })
    .await;
    supervisor.abort();
}

#[tokio::test]
async fn what_is_set_is_set_again_when_the_camera_is_back() {
    let script = Script::default();
    script.plug(NODE, Gadget::webcam("Cam"));
    let controls = [("exposure_time_absolute", 100), ("auto_exposure", 0), ("nonsense", 1), ("brightness", 999)];
    let controls = controls.map(|(name, value)| (name.to_owned(), value)).into();
    let mut stage = start(&script, CameraOptions { controls, ..CameraOptions::default() });
    in_time(async {
        stage.picture(NODE).await;
        // The time cannot be set before the automatic is off, though it was asked for in this order.
        assert_eq!(script.set(), [(3, 0), (2, 100)]);
        assert_eq!(stage.camera.set_control("brightness", 7).unwrap(), 7);
        script.unplug(NODE);
        stage.lost(OutageCause::NotFound).await;
        assert!(matches!(stage.camera.set_control("brightness", 8), Err(ControlError::Source(_))));
        script.plug(NODE, Gadget::webcam("Cam"));
        started(&script, 2).await;
        assert_eq!(script.set()[3..], [(3, 0), (1, 7), (2, 100)]);
        let listed = stage.camera.controls().unwrap();
        let values: Vec<_> = listed.iter().map(|control| control.value).collect();
        assert_eq!(values, [Some(7), Some(100), Some(0), None]);
    })
    .await;
}

#[test]
fn a_control_is_refused_with_the_reason() {
    let script = Script::default();
    script.plug(NODE, Gadget::webcam("Cam"));
    let camera = script.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    assert!(matches!(camera.set_control("focus", 1), Err(ControlError::Unknown { .. })));
    assert!(matches!(camera.set_control("brightness", 256), Err(ControlError::OutOfRange { .. })));
    assert!(matches!(camera.set_control("exposure_time_absolute", 1), Err(ControlError::Inactive { .. })));
    assert_eq!(script.handles(), 0);
}

/// The format and size that a camera is opened with.
fn opened(gadget: Gadget, request: CameraOptions) -> Result<(FourCc, Dimensions), SourceError> {
    let script = Script::default();
    script.plug(NODE, gadget);
    let capture = script.devices().camera(NODE.as_ref(), request)?.open()?;
    let mode = capture.mode();
    Ok((mode.format.unwrap(), mode.dimensions))
}

#[test]
fn the_format_is_jpeg_or_the_cheapest_that_reaches_what_is_asked() {
    let size = |width, height| Dimensions { width, height };
    let (small, large) = (size(640, 480), size(1280, 720));
    let gadget = |formats: &[(&[u8; 4], Dimensions, f64)]| Gadget {
        formats: formats.iter().map(|(code, size, rate)| (FourCc(**code), vec![*size], vec![*rate])).collect(),
        ..Gadget::webcam("Cam")
    };
    let chosen = |gadget, request| opened(gadget, request).unwrap().0.to_string();
    let wish = |size, rate| CameraOptions { size: Some(size), rate: Some(rate), ..CameraOptions::default() };
    let both = [(b"YUYV", small, 30.0), (b"MJPG", small, 30.0)];
    assert_eq!(chosen(gadget(&both), CameraOptions::default()), "MJPG");
    let raw = [(b"RGB3", small, 30.0), (b"GREY", small, 30.0), (b"YUYV", small, 30.0), (b"NV12", small, 15.0)];
    assert_eq!(chosen(gadget(&raw), CameraOptions::default()), "NV12", "the fewest bits of those with colour");
    assert_eq!(chosen(gadget(&raw), wish(small, 30.0)), "YUYV", "NV12 is too slow");
    let large_is_raw = [(b"MJPG", small, 30.0), (b"YUYV", large, 30.0)];
    assert_eq!(chosen(gadget(&large_is_raw), wish(large, 30.0)), "YUYV");
    assert_eq!(chosen(gadget(&large_is_raw), wish(size(1, 1), 30.0)), "MJPG", "none reaches it");
    let asked = CameraOptions { format: Some(FourCc(*b"YUYV")), ..CameraOptions::default() };
    assert_eq!(chosen(gadget(&both), asked.clone()), "YUYV");
    let error = opened(gadget(&[(b"MJPG", small, 30.0)]), asked).unwrap_err();
    assert_eq!(error.to_string(), "/dev/video0 offers no YUYV but MJPG; see `hotshoe cameras`");
    let error = opened(gadget(&[(b"H264", small, 30.0)]), CameraOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "/dev/video0 offers no format that can be served but H264; see `hotshoe cameras`");
}

/// A node that is no camera, as the drivers of a Raspberry Pi and of webcams make them.
fn node(card: &str, caps: u32, has_input: bool) -> Gadget {
    Gadget { caps, has_input, ..Gadget::webcam(card) }
}

const CAPTURE: u32 = DeviceCaps::VIDEO_CAPTURE | DeviceCaps::STREAMING;

/// All of them list formats that could be served.
fn dead_nodes() -> Vec<(Gadget, &'static str)> {
    let bayer = vec![(FourCc(*b"pRAA"), vec![Dimensions { width: 1920, height: 1080 }], vec![])];
    vec![
        // Pi 0 to 4, with or without a camera.
        (node("bcm2835-isp", CAPTURE, false), "no video input"),
        (node("bcm2835-codec-decode", DeviceCaps::MEM_TO_MEM | DeviceCaps::STREAMING, true), "memory-to-memory"),
        // Drivers of old say all of it.
        (node("old-codec", DeviceCaps::MEM_TO_MEM | CAPTURE | DeviceCaps::VIDEO_OUTPUT, true), "memory-to-memory"),
        // Pi 5, and Pi 4 with libcamera.
        (node("rp1-cfe", CAPTURE | DeviceCaps::MEDIA_CONTROLLER, true), "needs libcamera"),
        (node("unicam", CAPTURE | DeviceCaps::METADATA | DeviceCaps::MEDIA_CONTROLLER, true), "needs libcamera"),
        (node("rkisp1", DeviceCaps::VIDEO_CAPTURE_MPLANE | DeviceCaps::MEDIA_CONTROLLER, true), "needs libcamera"),
        // Pi 4 with drivers of before.
        (Gadget { formats: bayer, ..node("unicam", CAPTURE, true) }, "needs libcamera"),
        (node("pispbe", DeviceCaps::VIDEO_CAPTURE_MPLANE | DeviceCaps::STREAMING, false), "no video input"),
        (node("planes", DeviceCaps::VIDEO_CAPTURE_MPLANE | DeviceCaps::STREAMING, true), "multi-planar"),
        (node("Cam", DeviceCaps::METADATA | DeviceCaps::STREAMING, true), "metadata"),
        (node("loopback without a writer", DeviceCaps::VIDEO_OUTPUT | DeviceCaps::STREAMING, true), "takes video"),
        (node("radio", DeviceCaps::STREAMING, true), "captures no video"),
        (node("read() only", DeviceCaps::VIDEO_CAPTURE, true), "cannot be mapped"),
        (Gadget { formats: Vec::new(), ..Gadget::webcam("Nothing") }, "no format that can be served"),
    ]
}

#[test]
fn auto_skips_every_node_that_cannot_give_a_picture() {
    let script = Script::default();
    let dead = dead_nodes();
    for ((gadget, _), number) in dead.iter().zip(10..) {
        script.plug(&format!("/dev/video{number}"), gadget.clone());
    }
    script.fail("/dev/video10", Operation::Open, Errno::ACCESS.raw_os_error(), 1);
    assert_eq!(script.devices().first_camera(&[]), None);
    // Those that are listed have the reason.
    let (listings, unopened) = script.devices().list();
    assert!(unopened.is_empty());
    assert_eq!(listings.len(), dead.len());
    for (listing, (gadget, reason)) in listings.iter().zip(&dead) {
        assert_eq!(listing.card, gadget.card);
        let text = listing.to_string();
        assert!(text.contains("cannot be used: ") && text.contains(reason), "{text}");
    }
    // The last of all nodes is the first that is a camera.
    script.plug("/dev/video99", Gadget::webcam("Cam"));
    assert_eq!(script.devices().first_camera(&[]), Some("/dev/video99".into()));
    let (listings, _) = script.devices().list();
    assert!(listings.last().unwrap().unusable.is_none());
    // Nor is one taken twice.
    assert_eq!(script.devices().first_camera(&["/dev/video99".into()]), None);
    assert_eq!(script.handles(), 0);
}

#[test]
fn a_loopback_device_that_both_takes_and_captures_video_is_a_camera() {
    let script = Script::default();
    script.plug(NODE, node("loopback", CAPTURE | DeviceCaps::VIDEO_OUTPUT, true));
    assert_eq!(script.devices().first_camera(&[]), Some(NODE.into()));
}

#[test]
fn a_node_that_is_no_camera_is_refused_by_name_with_the_reason() {
    for (gadget, reason) in dead_nodes() {
        let script = Script::default();
        script.plug(NODE, gadget.clone());
        // A stream of an unconfigured pipeline does not start.
        script.fail(NODE, Operation::Start, Errno::INVAL.raw_os_error(), 1);
        let opened = script.devices().camera(NODE.as_ref(), CameraOptions::default()).and_then(|camera| camera.open());
        let error = opened.err().unwrap_or_else(|| panic!("{} is a camera", gadget.card)).to_string();
        assert!(error.contains(NODE) && error.contains(reason), "{}: {error}", gadget.card);
    }
}

#[tokio::test]
async fn a_bare_sensor_that_was_named_is_an_outage_until_its_pipeline_is_set_up() {
    let script = Script::default();
    script.plug(NODE, node("rp1-cfe", CAPTURE | DeviceCaps::MEDIA_CONTROLLER, true));
    script.fail(NODE, Operation::Start, Errno::INVAL.raw_os_error(), 1);
    let mut stage = start(&script, CameraOptions::default());
    in_time(async {
        let reason = stage.lost(OutageCause::Unsupported).await;
        assert!(reason.contains("needs libcamera") && reason.contains("Spyglass"), "{reason}");
        started(&script, 1).await;
        stage.picture(NODE).await;
    })
    .await;
}
