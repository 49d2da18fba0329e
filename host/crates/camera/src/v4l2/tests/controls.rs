//! Controls across openings.

use super::{NODE, start, wait_for_starts, within_deadline};
use crate::controls::ControlError;
use crate::source::Source;
use crate::status::OutageCause;
use crate::v4l2::camera::CameraOptions;
use crate::v4l2::scripted::{ScriptedCamera, ScriptedSystem};

#[tokio::test]
async fn buttons_are_not_pressed_again_when_the_camera_reopens() {
    let system = ScriptedSystem::default();
    system.plug(NODE, ScriptedCamera::webcam("Cam"));
    let camera = system.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    camera.set_control("pan_reset", 1).unwrap();
    camera.set_control("brightness", 5).unwrap();
    drop(camera.open().unwrap());
    drop(camera.open().unwrap());
    assert_eq!(system.controls_set(), [(4, 1), (1, 5), (1, 5), (1, 5)]);
}

#[tokio::test]
async fn controls_are_set_again_when_the_camera_returns() {
    let system = ScriptedSystem::default();
    system.plug(NODE, ScriptedCamera::webcam("Cam"));
    let controls = [("exposure_time_absolute", 100), ("auto_exposure", 0), ("nonsense", 1), ("brightness", 999)];
    let controls = controls.map(|(name, value)| (name.to_owned(), value)).into();
    let mut fixture = start(&system, CameraOptions { controls, ..CameraOptions::default() });
    within_deadline(async {
        fixture.picture(NODE).await;
        // The exposure time comes first in the list but can only be set once automatic exposure is off.
        assert_eq!(system.controls_set(), [(3, 0), (2, 100)]);
        assert_eq!(fixture.camera.set_control("brightness", 7).unwrap(), 7);
        system.unplug(NODE);
        fixture.lost(OutageCause::NotFound).await;
        assert!(matches!(fixture.camera.set_control("brightness", 8), Err(ControlError::Source(_))));
        system.plug(NODE, ScriptedCamera::webcam("Cam"));
        wait_for_starts(&system, 2).await;
        assert_eq!(system.controls_set()[3..], [(3, 0), (1, 7), (2, 100)]);
        let listed = fixture.camera.controls().unwrap();
        let values: Vec<_> = listed.iter().map(|control| control.value).collect();
        assert_eq!(values, [Some(7), Some(100), Some(0), None]);
    })
    .await;
}

#[test]
fn refused_controls_report_the_reason() {
    let system = ScriptedSystem::default();
    system.plug(NODE, ScriptedCamera::webcam("Cam"));
    let camera = system.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    assert!(matches!(camera.set_control("focus", 1), Err(ControlError::Unknown { .. })));
    assert!(matches!(camera.set_control("brightness", 256), Err(ControlError::OutOfRange { .. })));
    assert!(matches!(camera.set_control("exposure_time_absolute", 1), Err(ControlError::Inactive { .. })));
    assert_eq!(system.open_nodes(), 0);
}
