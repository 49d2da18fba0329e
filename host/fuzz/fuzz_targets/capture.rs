//! The capture loop, with a scripted camera that does anything in any order.
#![no_main]

use std::time::Instant;

use hotshoe_camera::jpeg::{Options, validate};
use hotshoe_camera::source::{ImageData, Source};
use hotshoe_camera::v4l2::CameraOptions;
use hotshoe_camera::v4l2::scripted::{Operation, ScriptedCamera, ScriptedSystem, Step};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

const NODE: &str = "/dev/video0";
const PICTURE: &[u8] = include_bytes!("../../crates/camera/tests/fixtures/420-optimal-33x17.jpg");

#[derive(Arbitrary, Debug)]
enum Action {
    /// Fills a buffer with these bytes.
    Bytes { bytes: Vec<u8>, is_flagged: bool, dropped: u32 },
    /// Fills a buffer with a valid picture, truncated to this length and with one byte changed.
    Picture { length: u16, at: u16, change: u8, is_flagged: bool, dropped: u32 },
    /// Fails to dequeue with this error.
    Error(u8),
    /// Becomes ready without a buffer.
    Nothing,
    /// Makes another operation fail.
    Fail(u8, u8),
    /// Unplugs the camera and plugs it in again.
    Replug,
    /// Reads from the camera.
    Read,
}

#[derive(Arbitrary, Debug)]
struct Scenario {
    allow_truncated: bool,
    is_raw: bool,
    actions: Vec<Action>,
}

fuzz_target!(|scenario: Scenario| {
    let system = ScriptedSystem::default();
    let mut model = ScriptedCamera::webcam("Cam");
    if scenario.is_raw {
        model.formats.remove(0);
    }
    system.plug(NODE, model.clone());
    let options = CameraOptions { allow_truncated: scenario.allow_truncated, ..CameraOptions::default() };
    let camera = system.devices().camera(NODE.as_ref(), options).expect("the node is a camera");
    let mut capture = None;
    for action in scenario.actions {
        match action {
            Action::Bytes { bytes, is_flagged, dropped } => {
                system.push_step(NODE, Step::Buffer { planes: [bytes, Vec::new(), Vec::new()], is_flagged, dropped });
            }
            Action::Picture { length, at, change, is_flagged, dropped } => {
                let mut bytes = PICTURE[..PICTURE.len().min(length.into())].to_vec();
                if let Some(byte) = bytes.get_mut(usize::from(at)) {
                    *byte ^= change;
                }
                system.push_step(NODE, Step::Buffer { planes: [bytes, Vec::new(), Vec::new()], is_flagged, dropped });
            }
            Action::Error(error) => system.push_step(NODE, Step::Error(i32::from(error) + 1)),
            Action::Nothing => system.push_step(NODE, Step::Nothing),
            Action::Fail(operation, error) => {
                let operations = [Operation::Open, Operation::SetFormat, Operation::Start, Operation::Queue];
                system.fail(NODE, operations[usize::from(operation) % 4], i32::from(error) + 1, 1);
            }
            Action::Replug => {
                system.unplug(NODE);
                system.plug(NODE, model.clone());
            }
            Action::Read => {
                if capture.is_none() {
                    capture = camera.open().ok();
                }
                let Some(open) = &mut capture else { continue };
                match open.next(Instant::now()) {
                    Ok(outcome) => match outcome.image.map(|image| image.data) {
                        Some(ImageData::Jpeg(image)) => {
                            let info = validate(&image.bytes, Options::default()).expect("the image is valid");
                            assert!(info.is_complete());
                            assert_eq!(info.length, image.bytes.len());
                        }
                        Some(ImageData::Raw(raw)) => assert_eq!(raw.bytes.len(), raw.layout.frame_length()),
                        None => {}
                    },
                    Err(_) => capture = None,
                }
            }
        }
    }
    drop(capture);
    assert_eq!(system.open_nodes(), 0, "a node is still open");
});
