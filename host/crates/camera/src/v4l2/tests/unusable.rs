//! Nodes that cannot deliver pictures.

use rustix::io::Errno;

use super::{NODE, start, wait_for_starts, within_deadline};
use crate::dimensions::Dimensions;
use crate::fourcc::FourCc;
use crate::source::Source;
use crate::status::OutageCause;
use crate::v4l2::camera::CameraOptions;
use crate::v4l2::device::DeviceCaps;
use crate::v4l2::scripted::{Operation, ScriptedCamera, ScriptedSystem};

const CAPTURE: u32 = DeviceCaps::VIDEO_CAPTURE | DeviceCaps::STREAMING;
const MULTI_PLANAR: u32 = DeviceCaps::VIDEO_CAPTURE_MPLANE | DeviceCaps::STREAMING;

/// A node with these capabilities.
fn node(card: &str, caps: u32, has_input: bool) -> ScriptedCamera {
    ScriptedCamera { caps, has_input, ..ScriptedCamera::webcam(card) }
}

/// Nodes that are not cameras, although most list usable formats, and why each is refused. Modelled on the drivers of
/// the Raspberry Pi and of webcams.
fn unusable_nodes() -> Vec<(ScriptedCamera, &'static str)> {
    let bayer = vec![(FourCc(*b"pRAA"), vec![Dimensions { width: 1920, height: 1080 }], vec![])];
    vec![
        // Pi 0 to 4, with or without a camera.
        (node("bcm2835-isp", CAPTURE, false), "no video input"),
        (node("bcm2835-codec-decode", DeviceCaps::MEM_TO_MEM | DeviceCaps::STREAMING, true), "memory-to-memory"),
        // Old drivers set all of these flags.
        (node("old-codec", DeviceCaps::MEM_TO_MEM | CAPTURE | DeviceCaps::VIDEO_OUTPUT, true), "memory-to-memory"),
        // Pi 5, and Pi 4 with libcamera.
        (node("rp1-cfe", CAPTURE | DeviceCaps::MEDIA_CONTROLLER, true), "needs libcamera"),
        (node("unicam", CAPTURE | DeviceCaps::METADATA | DeviceCaps::MEDIA_CONTROLLER, true), "needs libcamera"),
        (node("rkisp1", MULTI_PLANAR | DeviceCaps::MEDIA_CONTROLLER, true), "needs libcamera"),
        // Pi 4 with older drivers.
        (ScriptedCamera { formats: bayer, ..node("unicam", CAPTURE, true) }, "needs libcamera"),
        (node("pispbe", MULTI_PLANAR, false), "no video input"),
        (node("Cam", DeviceCaps::METADATA | DeviceCaps::STREAMING, true), "metadata"),
        (node("loopback without a writer", DeviceCaps::VIDEO_OUTPUT | DeviceCaps::STREAMING, true), "video output"),
        (node("radio", DeviceCaps::STREAMING, true), "captures no video"),
        (node("read() only", DeviceCaps::VIDEO_CAPTURE, true), "cannot be memory-mapped"),
        (ScriptedCamera { formats: Vec::new(), ..ScriptedCamera::webcam("Nothing") }, "no usable format"),
    ]
}

#[test]
fn auto_skips_every_node_that_cannot_deliver_pictures() {
    let system = ScriptedSystem::default();
    let nodes = unusable_nodes();
    for ((scripted, _), number) in nodes.iter().zip(10..) {
        system.plug(&format!("/dev/video{number}"), scripted.clone());
    }
    system.fail("/dev/video10", Operation::Open, Errno::ACCESS.raw_os_error(), 1);
    assert_eq!(system.devices().first_camera(&[]), None);
    // The list says why each is unusable.
    let (devices, unopened) = system.devices().list();
    assert!(unopened.is_empty());
    assert_eq!(devices.len(), nodes.len());
    for (device, (scripted, reason)) in devices.iter().zip(&nodes) {
        assert_eq!(device.card, scripted.card);
        let text = device.to_string();
        assert!(text.contains("cannot be used: ") && text.contains(reason), "{text}");
    }
    // The last node is the first camera.
    system.plug("/dev/video99", ScriptedCamera::webcam("Cam"));
    assert_eq!(system.devices().first_camera(&[]), Some("/dev/video99".into()));
    let (devices, _) = system.devices().list();
    assert!(devices.last().unwrap().unusable.is_none());
    // The same camera is not chosen twice.
    assert_eq!(system.devices().first_camera(&["/dev/video99".into()]), None);
    assert_eq!(system.open_nodes(), 0);
}

#[test]
fn a_loopback_device_with_output_and_capture_is_a_camera() {
    let system = ScriptedSystem::default();
    system.plug(NODE, node("loopback", CAPTURE | DeviceCaps::VIDEO_OUTPUT, true));
    assert_eq!(system.devices().first_camera(&[]), Some(NODE.into()));
}

#[test]
fn a_configured_node_that_is_not_a_camera_is_refused_with_the_reason() {
    for (scripted, reason) in unusable_nodes() {
        let system = ScriptedSystem::default();
        system.plug(NODE, scripted.clone());
        // The stream of an unconfigured pipeline fails to start.
        system.fail(NODE, Operation::Start, Errno::INVAL.raw_os_error(), 1);
        let opened = system.devices().camera(NODE.as_ref(), CameraOptions::default()).and_then(|camera| camera.open());
        let error = opened.err().unwrap_or_else(|| panic!("{} is a camera", scripted.card)).to_string();
        assert!(error.contains(NODE) && error.contains(reason), "{}: {error}", scripted.card);
    }
}

#[tokio::test]
async fn a_configured_bare_sensor_is_an_outage_until_its_pipeline_is_set_up() {
    let system = ScriptedSystem::default();
    system.plug(NODE, node("rp1-cfe", CAPTURE | DeviceCaps::MEDIA_CONTROLLER, true));
    system.fail(NODE, Operation::Start, Errno::INVAL.raw_os_error(), 1);
    let mut fixture = start(&system, CameraOptions::default());
    within_deadline(async {
        let reason = fixture.lost(OutageCause::Unsupported).await;
        assert!(reason.contains("needs libcamera") && reason.contains("--camera rpicam"), "{reason}");
        wait_for_starts(&system, 1).await;
        fixture.picture(NODE).await;
    })
    .await;
}
