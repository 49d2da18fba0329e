//! Which device a camera is after it was unplugged or configured anew.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use super::{NODE, OTHER_NODE, start, start_webcam, wait_for_starts, within_deadline};
use crate::camera::{Camera, Linger};
use crate::error::SourceError;
use crate::source::Source;
use crate::status::OutageCause;
use crate::v4l2::camera::CameraOptions;
use crate::v4l2::devices::Devices;
use crate::v4l2::scripted::{Operation, ScriptedCamera, ScriptedSystem};

/// A link that names a device by its serial number.
const BY_ID: &str = "/dev/v4l/by-id/usb-Cam_1234-video-index0";

/// A webcam at this port.
fn webcam_at(bus: &str) -> ScriptedCamera {
    ScriptedCamera { bus: bus.into(), ..ScriptedCamera::webcam("Cam") }
}

/// The camera at `path`, as a server has it.
fn camera_at(devices: &Devices, path: &str) -> Arc<Camera> {
    let source = devices.camera(path.as_ref(), CameraOptions::default()).unwrap();
    Arc::new(Camera::new(path.to_owned(), Arc::new(source), Linger::For(Duration::ZERO)))
}

#[tokio::test]
async fn a_camera_is_found_at_another_node() {
    let (system, mut fixture) = start_webcam();
    within_deadline(async {
        fixture.picture(NODE).await;
        system.unplug(NODE);
        fixture.lost(OutageCause::NotFound).await;
        // It comes back at another node, and another camera at its old one.
        system.plug(NODE, ScriptedCamera::webcam("Other"));
        system.plug(OTHER_NODE, ScriptedCamera::webcam("Cam"));
        fixture.picture(OTHER_NODE).await;
    })
    .await;
    assert_eq!(fixture.camera.description(), format!("Cam at {OTHER_NODE}"));
    assert_eq!(system.pending_steps(NODE), 0);
}

#[tokio::test]
async fn a_camera_is_found_at_another_port() {
    let (system, mut fixture) = start_webcam();
    within_deadline(async {
        fixture.picture(NODE).await;
        system.unplug(NODE);
        system.plug(OTHER_NODE, ScriptedCamera { bus: "usb-elsewhere".into(), ..ScriptedCamera::webcam("Cam") });
        fixture.picture(OTHER_NODE).await;
    })
    .await;
}

#[tokio::test]
async fn a_camera_is_never_confused_with_another_of_its_model() {
    let system = ScriptedSystem::default();
    let second = ScriptedCamera { bus: "usb-second".into(), ..ScriptedCamera::webcam("Cam") };
    system.plug(NODE, ScriptedCamera::webcam("Cam"));
    system.plug(OTHER_NODE, second.clone());
    let devices = system.devices();
    let first = devices.camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    let _other = devices.camera(OTHER_NODE.as_ref(), CameraOptions::default()).unwrap();
    system.unplug(NODE);
    assert!(matches!(first.open().err(), Some(SourceError::NotFound { .. })), "the other camera was used");
    // Not even if the other camera comes back at its node.
    system.unplug(OTHER_NODE);
    system.plug(NODE, second);
    assert!(matches!(first.open().err(), Some(SourceError::NotFound { .. })), "the other camera was used");
}

#[tokio::test]
async fn a_device_of_the_same_model_that_was_always_present_is_not_used() {
    let system = ScriptedSystem::default();
    system.plug(NODE, ScriptedCamera::webcam("Cam"));
    system.plug(OTHER_NODE, ScriptedCamera { bus: "usb-other".into(), ..ScriptedCamera::webcam("Cam") });
    let mut fixture = start(&system, CameraOptions::default());
    within_deadline(async {
        fixture.picture(NODE).await;
        system.unplug(NODE);
        fixture.lost(OutageCause::NotFound).await;
        assert!(fixture.camera.controls().is_err(), "the controls are those of the other device");
        system.plug(NODE, ScriptedCamera::webcam("Cam"));
        wait_for_starts(&system, 2).await;
        fixture.picture(NODE).await;
    })
    .await;
}

#[test]
fn a_camera_that_cannot_be_opened_is_not_searched_elsewhere() {
    let system = ScriptedSystem::default();
    system.plug(NODE, ScriptedCamera::webcam("Cam"));
    let camera = system.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    system.plug(OTHER_NODE, ScriptedCamera { bus: "usb-other".into(), ..ScriptedCamera::webcam("Cam") });
    // As after every hotplug, until the permissions are set.
    system.fail(NODE, Operation::Open, Errno::ACCESS.raw_os_error(), 1);
    assert!(matches!(camera.open().err(), Some(SourceError::AccessDenied { .. })));
}

#[test]
fn an_ambiguous_device_is_assigned_to_no_camera() {
    let system = ScriptedSystem::default();
    let scripted = |bus: &str| ScriptedCamera { bus: bus.into(), ..ScriptedCamera::webcam("Cam") };
    system.plug(NODE, scripted("usb-1"));
    system.plug(OTHER_NODE, scripted("usb-2"));
    let devices = system.devices();
    let first = devices.camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    let second = devices.camera(OTHER_NODE.as_ref(), CameraOptions::default()).unwrap();
    system.unplug(NODE);
    system.unplug(OTHER_NODE);
    system.plug("/dev/video7", scripted("usb-3"));
    assert!(matches!(first.open().err(), Some(SourceError::NotFound { .. })));
    assert!(matches!(second.open().err(), Some(SourceError::NotFound { .. })));
    // The port identifies each camera.
    system.plug("/dev/video8", scripted("usb-2"));
    assert!(second.open().is_ok());
    assert!(first.open().is_err());
}

#[test]
fn a_camera_configured_by_id_is_not_searched_elsewhere() {
    let system = ScriptedSystem::default();
    system.plug(BY_ID, ScriptedCamera::webcam("Cam"));
    let camera = system.devices().camera(BY_ID.as_ref(), CameraOptions::default()).unwrap();
    system.unplug(BY_ID);
    system.plug(NODE, ScriptedCamera { bus: "usb-other".into(), ..ScriptedCamera::webcam("Cam") });
    assert!(matches!(camera.open().err(), Some(SourceError::NotFound { .. })));
    // The link follows the camera to another port.
    system.plug(BY_ID, ScriptedCamera { bus: "usb-elsewhere".into(), ..ScriptedCamera::webcam("Cam") });
    assert!(camera.open().is_ok());
}

#[tokio::test]
async fn a_different_camera_at_the_same_node_replaces_the_old_one() {
    let (system, mut fixture) = start_webcam();
    within_deadline(async {
        fixture.picture(NODE).await;
        system.unplug(NODE);
        system.plug(NODE, ScriptedCamera::webcam("Better"));
        fixture.lost(OutageCause::NotFound).await;
        fixture.picture(NODE).await;
    })
    .await;
    assert_eq!(fixture.camera.description(), format!("Better at {NODE}"));
}

#[test]
fn a_reload_may_give_a_camera_another_path_of_its_device() {
    const OWN_LINK: &str = "/dev/front";
    for (before, after) in [(NODE, BY_ID), (BY_ID, NODE), (NODE, OWN_LINK), (OWN_LINK, NODE)] {
        let system = ScriptedSystem::default();
        system.plug(before, ScriptedCamera::webcam("Cam"));
        system.plug(after, ScriptedCamera::webcam("Cam"));
        let devices = system.devices();
        let old = camera_at(&devices, before);
        // A reader that stays keeps the old camera in memory.
        let _feed = old.feed();
        let new = devices.camera(after.as_ref(), CameraOptions::default()).unwrap();
        old.remove();
        assert!(new.open().is_ok(), "{after} after {before}");
    }
}

#[test]
fn two_paths_of_one_device_are_two_cameras_of_which_one_streams() {
    for other_path in [BY_ID, "/dev/front"] {
        let system = ScriptedSystem::default();
        system.plug(NODE, ScriptedCamera::webcam("Cam"));
        system.plug(other_path, ScriptedCamera::webcam("Cam"));
        let devices = system.devices();
        let camera = |path: &str| devices.camera(Path::new(path), CameraOptions::default()).unwrap();
        let (first, second) = (camera(NODE), camera(other_path));
        let capture = first.open().unwrap();
        assert!(second.controls().is_ok());
        // What the kernel answers while another file streams.
        system.fail(other_path, Operation::SetFormat, Errno::BUSY.raw_os_error(), 1);
        let error = second.open().err();
        assert!(matches!(error, Some(SourceError::Busy { .. })), "{error:?}");
        drop(capture);
        drop(second.open().unwrap());
        assert!(first.open().is_ok());
        // It may have another number when it comes back.
        system.unplug(NODE);
        system.plug(OTHER_NODE, ScriptedCamera::webcam("Cam"));
        assert!(first.open().is_ok() && second.open().is_ok());
    }
}

#[test]
fn two_paths_of_one_device_are_found_at_another_port() {
    let system = ScriptedSystem::default();
    system.plug(NODE, webcam_at("usb-1"));
    system.plug(BY_ID, webcam_at("usb-1"));
    let devices = system.devices();
    let camera = |path: &str| devices.camera(Path::new(path), CameraOptions::default()).unwrap();
    let (first, second) = (camera(NODE), camera(BY_ID));
    system.unplug(NODE);
    system.unplug(BY_ID);
    system.plug(OTHER_NODE, webcam_at("usb-2"));
    assert!(first.open().is_ok());
    system.plug(BY_ID, webcam_at("usb-2"));
    assert!(second.open().is_ok() && first.open().is_ok());
}

#[test]
fn a_removed_camera_is_no_other_camera_of_its_model() {
    let system = ScriptedSystem::default();
    system.plug(NODE, webcam_at("usb-1"));
    system.plug(OTHER_NODE, webcam_at("usb-2"));
    let devices = system.devices();
    let removed = camera_at(&devices, NODE);
    let _feed = removed.feed();
    let stays = devices.camera(OTHER_NODE.as_ref(), CameraOptions::default()).unwrap();
    removed.remove();
    // Whoever still has the camera does not bring it back.
    assert!(removed.controls().is_ok());
    system.unplug(OTHER_NODE);
    system.plug("/dev/video7", webcam_at("usb-3"));
    assert!(stays.open().is_ok());
}

#[test]
fn a_camera_that_could_not_be_configured_is_forgotten() {
    let system = ScriptedSystem::default();
    system.plug(NODE, webcam_at("usb-1"));
    system.plug(OTHER_NODE, webcam_at("usb-2"));
    let devices = system.devices();
    let stays = devices.camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    // What a reload does that fails because of another camera.
    drop(devices.camera(OTHER_NODE.as_ref(), CameraOptions::default()).unwrap());
    system.unplug(NODE);
    system.plug("/dev/video7", webcam_at("usb-3"));
    assert!(stays.open().is_ok());
}

#[test]
fn a_missing_camera_is_not_another_that_came_back_at_its_node() {
    let system = ScriptedSystem::default();
    system.plug(OTHER_NODE, ScriptedCamera::webcam("Cam"));
    let devices = system.devices();
    let missing = devices.camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    let other = devices.camera(OTHER_NODE.as_ref(), CameraOptions::default()).unwrap();
    system.unplug(OTHER_NODE);
    system.plug(NODE, ScriptedCamera::webcam("Cam"));
    assert!(matches!(missing.open().err(), Some(SourceError::NotFound { .. })), "the other camera was used");
    assert!(other.open().is_ok());
    // A camera that was removed owns nothing.
    drop(other);
    assert!(missing.open().is_ok());
}
