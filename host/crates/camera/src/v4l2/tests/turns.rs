//! Turning pictures: by the device or by EXIF.

use super::{NODE, PICTURE, start, within_deadline};
use crate::frame::JpegImage;
use crate::orientation::{Orientation, Rotation};
use crate::source::Source;
use crate::v4l2::camera::CameraOptions;
use crate::v4l2::scripted::{ScriptedCamera, ScriptedSystem};
use crate::v4l2::turn::{HORIZONTAL_FLIP, ROTATE, VERTICAL_FLIP};

/// Opens a webcam with these further controls. Returns the controls that were set, and the value of the EXIF tag in its
/// pictures.
async fn opened(more_controls: &[(u32, i64)], orientation: Orientation) -> (Vec<(u32, i64)>, Option<u8>, String) {
    let system = ScriptedSystem::default();
    let more_controls = more_controls.to_vec();
    system.plug(NODE, ScriptedCamera { more_controls, ..ScriptedCamera::webcam("Cam") });
    let mut fixture = start(&system, CameraOptions { orientation: Some(orientation), ..CameraOptions::default() });
    let frame = within_deadline(fixture.picture(NODE)).await;
    let picture = JpegImage::new(PICTURE.into()).unwrap();
    let exif = (frame.image.bytes != picture.bytes).then(|| {
        assert_eq!(frame.image.bytes, picture.turned(orientation).bytes);
        frame.image.bytes[31]
    });
    (system.controls_set(), exif, fixture.camera.description())
}

#[tokio::test]
async fn the_device_turns_pictures_if_it_can_and_exif_does_otherwise() {
    let flips = [(HORIZONTAL_FLIP, 1), (VERTICAL_FLIP, 1)];
    let all = [(ROTATE, 270), flips[0], flips[1]];
    let orientation =
        |rotation, flip_horizontally, flip_vertically| Orientation { rotation, flip_horizontally, flip_vertically };
    let half = orientation(Rotation::Half, false, false);
    let quarter = orientation(Rotation::Quarter, false, false);
    for (controls, orientation, set, exif) in [
        (&[][..], half, vec![], Some(3)),
        (&flips, half, flips.to_vec(), None),
        (&[(ROTATE, 180)], half, vec![(ROTATE, 180)], None),
        (&all, quarter, vec![(ROTATE, 90), (HORIZONTAL_FLIP, 0), (VERTICAL_FLIP, 0)], None),
        // What the device cannot do completely, it must not do at all.
        (&[(ROTATE, 45), flips[0]], quarter, vec![(ROTATE, 0), (HORIZONTAL_FLIP, 0)], Some(6)),
        (&flips[..1], orientation(Rotation::None, false, true), vec![(HORIZONTAL_FLIP, 0)], Some(4)),
        // The order of rotating and flipping is the driver's choice.
        (
            &all,
            orientation(Rotation::Quarter, true, false),
            vec![(ROTATE, 0), (HORIZONTAL_FLIP, 0), (VERTICAL_FLIP, 0)],
            Some(5),
        ),
        // Controls from an earlier program are reset.
        (&flips, Orientation::default(), vec![(HORIZONTAL_FLIP, 0), (VERTICAL_FLIP, 0)], None),
    ] {
        let (controls_set, found, description) = opened(controls, orientation).await;
        assert_eq!((controls_set, found), (set, exif), "{controls:?} {orientation}");
        let by = if exif.is_some() { "EXIF" } else { "the device" };
        let expected = if orientation.is_upright() { String::new() } else { format!(", {orientation} by {by}") };
        assert_eq!(description, format!("Cam at /dev/video0{expected}"));
    }
}

#[tokio::test]
async fn without_the_options_the_controls_are_left_alone() {
    let system = ScriptedSystem::default();
    system.plug(NODE, ScriptedCamera { more_controls: vec![(ROTATE, 180)], ..ScriptedCamera::webcam("Cam") });
    let source = system.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap();
    drop(source.open().unwrap());
    assert!(system.controls_set().is_empty());
}
