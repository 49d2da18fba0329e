//! Cropping: by the device or by this program.

use std::time::Instant;

use super::{NODE, PICTURE};
use crate::dimensions::Dimensions;
use crate::error::SourceError;
use crate::fourcc::FourCc;
use crate::rectangle::Rectangle;
use crate::source::{Capture, ImageData, Source};
use crate::v4l2::camera::{CameraOptions, V4l2Camera};
use crate::v4l2::scripted::{ScriptedCamera, ScriptedSystem, Step};

fn area(left: u32, top: u32, width: u32, height: u32) -> Rectangle {
    Rectangle { left, top, size: Dimensions { width, height } }
}

/// A webcam with MJPG and YUYV whose device crops from an area of this size, if any.
fn plug(crop_bounds: Option<(u32, u32)>) -> ScriptedSystem {
    let system = ScriptedSystem::default();
    let crop_bounds = crop_bounds.map(|(width, height)| Dimensions { width, height });
    system.plug(NODE, ScriptedCamera { crop_bounds, ..ScriptedCamera::webcam("Cam") });
    system
}

fn camera(system: &ScriptedSystem, crop: Rectangle, options: CameraOptions) -> V4l2Camera {
    system.devices().camera(NODE.as_ref(), CameraOptions { crop: Some(crop), ..options }).unwrap()
}

fn mode(capture: &dyn Capture) -> (String, Dimensions) {
    let mode = capture.mode().unwrap();
    (mode.format.unwrap().to_string(), mode.dimensions)
}

#[test]
fn a_device_that_can_crop_does_so_in_any_format() {
    let system = plug(Some((1280, 720)));
    let camera = camera(&system, area(320, 120, 400, 300), CameraOptions::default());
    let mut capture = camera.open().unwrap();
    assert_eq!(mode(&*capture), ("MJPG".into(), Dimensions { width: 400, height: 300 }));
    assert_eq!(camera.description(), "Cam at /dev/video0, crop=400x300+320+120 by the device");
    system.push_step(NODE, Step::buffer(PICTURE));
    let Some(ImageData::Jpeg(image)) = capture.next(Instant::now()).unwrap().image.map(|image| image.data) else {
        panic!("no picture")
    };
    assert_eq!(image.bytes, PICTURE);
}

#[test]
fn a_requested_size_scales_what_the_device_crops() {
    let system = plug(Some((1280, 720)));
    let size = Dimensions { width: 320, height: 240 };
    let options = CameraOptions { size: Some(size), ..CameraOptions::default() };
    assert_eq!(mode(&*camera(&system, area(0, 0, 640, 480), options).open().unwrap()).1, size);
}

#[test]
fn the_area_that_the_device_chose_is_reported() {
    let system = plug(Some((640, 480)));
    let camera = camera(&system, area(400, 300, 320, 240), CameraOptions::default());
    drop(camera.open().unwrap());
    assert_eq!(camera.description(), "Cam at /dev/video0, crop=320x240+320+240 by the device");
}

#[test]
fn without_a_device_that_can_crop_raw_pictures_are_cropped() {
    let system = plug(None);
    let camera = camera(&system, area(3, 1, 4, 2), CameraOptions::default());
    let mut capture = camera.open().unwrap();
    assert_eq!(mode(&*capture), ("YUYV".into(), Dimensions { width: 4, height: 2 }));
    // Pairs of pixels share their chroma, so the area starts at an even column and row.
    assert_eq!(camera.description(), "Cam at /dev/video0, crop=4x2+2+0 by the server");
    let frame: Vec<u8> = (0..640 * 480 * 2).map(|index| (index / 1280 * 16 + index % 1280) as u8).collect();
    system.push_step(NODE, Step::buffer(&frame));
    let Some(ImageData::Raw(raw)) = capture.next(Instant::now()).unwrap().image.map(|image| image.data) else {
        panic!("no picture")
    };
    assert_eq!(raw.bytes, [4, 5, 6, 7, 8, 9, 10, 11, 20, 21, 22, 23, 24, 25, 26, 27]);
    assert_eq!(raw.layout.dimensions, Dimensions { width: 4, height: 2 });
}

#[test]
fn a_crop_that_is_impossible_is_refused_with_the_reason() {
    let refused = |system: &ScriptedSystem, crop, options| {
        let opened = camera(system, crop, options).open();
        opened.err().map(|error: SourceError| error.to_string()).unwrap_or_default()
    };
    let mjpg = CameraOptions { format: Some(FourCc(*b"MJPG")), ..CameraOptions::default() };
    let unsupported = "/dev/video0 cannot crop its pictures, and those in MJPG stay as they are; remove crop=, or set \
                       format= to a raw format if it offers one";
    assert_eq!(refused(&plug(None), area(0, 0, 16, 16), mjpg), unsupported);
    let only_mjpg = ScriptedSystem::default();
    let mut webcam = ScriptedCamera::webcam("Cam");
    webcam.formats.truncate(1);
    only_mjpg.plug(NODE, webcam);
    assert_eq!(refused(&only_mjpg, area(0, 0, 16, 16), CameraOptions::default()), unsupported);
    for crop in [area(600, 0, 41, 10), area(0, u32::MAX, 10, 10)] {
        assert_eq!(
            refused(&plug(None), crop, CameraOptions::default()),
            format!("crop={crop} is not within the pictures of /dev/video0, which are 640x480")
        );
    }
}
