//! A scripted camera that does anything, in any order, under the capture loop.
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
    /// A buffer of these bytes.
    Bytes { bytes: Vec<u8>, is_flagged: bool, dropped: u32 },
    /// A good picture, cut to this length and with one byte changed.
    JpegImage { length: u16, at: u16, change: u8, is_flagged: bool, dropped: u32 },
    /// An error when it is asked for a picture.
    Error(u8),
    /// Ready, and nothing there.
    Nothing,
    /// A failure of something else.
    Fail(u8, u8),
    /// Out, and in again at once.
    Replug,
    /// What there is, is read.
    Read,
}

#[derive(Arbitrary, Debug)]
struct Scenario {
    allow_truncated: bool,
    raw: bool,
    actions: Vec<Action>,
}

fuzz_target!(|scenario: Scenario| {
    let system = ScriptedSystem::default();
    let mut camera = ScriptedCamera::webcam("Cam");
    if scenario.raw {
        camera.formats.remove(0);
    }
    system.plug(NODE, camera.clone());
    let request = CameraOptions { allow_truncated: scenario.allow_truncated, ..CameraOptions::default() };
    let camera = system.devices().camera(NODE.as_ref(), request).expect("it is a camera");
    let mut capture = None;
    for action in scenario.actions {
        match action {
            Action::Bytes { bytes, is_flagged, dropped } => {
                system.push_step(NODE, Step::Buffer { bytes, is_flagged, dropped })
            }
            Action::JpegImage { length, at, change, is_flagged, dropped } => {
                let mut bytes = PICTURE[..PICTURE.len().min(length.into())].to_vec();
                if let Some(byte) = bytes.get_mut(usize::from(at)) {
                    *byte ^= change;
                }
                system.push_step(NODE, Step::Buffer { bytes, is_flagged, dropped });
            }
            Action::Error(error) => system.push_step(NODE, Step::Error(i32::from(error) + 1)),
            Action::Nothing => system.push_step(NODE, Step::Nothing),
            Action::Fail(operation, error) => {
                let operations = [Operation::Open, Operation::SetFormat, Operation::Start, Operation::Queue];
                system.fail(NODE, operations[usize::from(operation) % 4], i32::from(error) + 1, 1);
            }
            Action::Replug => {
                system.unplug(NODE);
                system.plug(NODE, camera.clone());
            }
            Action::Read => {
                if capture.is_none() {
                    capture = camera.open().ok();
                }
                let Some(open) = &mut capture else { continue };
                match open.next(Instant::now()) {
                    Ok(captured) => match captured.image.map(|image| image.data) {
                        Some(ImageData::Jpeg(picture)) => {
                            let whole = validate(&picture.bytes, Options::default()).expect("whole images only");
                            assert!(whole.is_complete());
                            assert_eq!(whole.length, picture.bytes.len());
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
    assert_eq!(system.open_nodes(), 0, "a node was left open");
});
