//! Multi-planar devices.

use super::{NODE, PICTURE};
use crate::dimensions::Dimensions;
use crate::fourcc::FourCc;
use crate::frame_counts::LostFrames;
use crate::raw::PixelFormat;
use crate::source::{Capture, CaptureOutcome, ImageData, Source};
use crate::v4l2::camera::CameraOptions;
use crate::v4l2::device::DeviceCaps;
use crate::v4l2::scripted::{ScriptedCamera, ScriptedSystem, Step};

/// A machine with a multi-planar device that offers this format at 4x4.
fn machine(code: &[u8; 4]) -> ScriptedSystem {
    let system = ScriptedSystem::default();
    let caps = DeviceCaps::VIDEO_CAPTURE_MPLANE | DeviceCaps::STREAMING;
    let formats = vec![(FourCc(*code), vec![Dimensions { width: 4, height: 4 }], vec![30.0])];
    system.plug(NODE, ScriptedCamera { caps, formats, ..ScriptedCamera::webcam("Planes") });
    system
}

fn open(system: &ScriptedSystem) -> Box<dyn Capture> {
    assert_eq!(system.devices().first_camera(&[]), Some(NODE.into()));
    system.devices().camera(NODE.as_ref(), CameraOptions::default()).unwrap().open().unwrap()
}

fn next(capture: &mut dyn Capture, system: &ScriptedSystem, planes: [&[u8]; 3]) -> CaptureOutcome {
    system.push_step(NODE, Step::planes(planes));
    capture.next(std::time::Instant::now()).unwrap()
}

#[test]
fn images_in_a_single_plane_are_served() {
    let system = machine(b"MJPG");
    let outcome = next(&mut *open(&system), &system, [PICTURE, &[], &[]]);
    let Some(ImageData::Jpeg(image)) = outcome.image.map(|image| image.data) else { panic!("no picture") };
    assert_eq!(image.bytes, PICTURE);
}

#[test]
fn separate_planes_are_joined() {
    let (luma, first, second) = ([1; 16], [2; 8], [3; 4]);
    for (code, format, planes) in [
        (b"NM12", PixelFormat::Nv12, [&luma[..], &first, &[]]),
        (b"YM12", PixelFormat::Yu12, [&luma, &first[..4], &second]),
    ] {
        let system = machine(code);
        let outcome = next(&mut *open(&system), &system, planes);
        let Some(ImageData::Raw(raw)) = outcome.image.map(|image| image.data) else { panic!("no picture") };
        assert_eq!((raw.bytes, raw.layout.format), (planes.concat(), format));
    }
}

#[test]
fn an_image_with_a_short_plane_is_dropped() {
    let system = machine(b"NM12");
    let mut capture = open(&system);
    for (planes, lost) in [
        ([&[1; 16][..], &[2; 7], &[]], LostFrames { malformed: 1, ..LostFrames::default() }),
        ([&[1; 15], &[2; 8], &[]], LostFrames { malformed: 1, ..LostFrames::default() }),
        ([&[], &[2; 8], &[]], LostFrames { empty: 1, ..LostFrames::default() }),
    ] {
        let outcome = next(&mut *capture, &system, planes);
        assert!(outcome.image.is_none());
        assert_eq!(outcome.lost, lost);
    }
    assert!(next(&mut *capture, &system, [&[1; 16], &[2; 8], &[]]).image.is_some());
}
