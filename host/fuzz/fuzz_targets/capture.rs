//! A scripted camera that does anything, in any order, under the capture loop.
#![no_main]

use std::time::Instant;

use hotshoe_camera::jpeg::{Options, validate};
use hotshoe_camera::source::{ImageData, Source};
use hotshoe_camera::v4l2::CameraOptions;
use hotshoe_camera::v4l2::scripted::{Gadget, Operation, Script, Step};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

const NODE: &str = "/dev/video0";
const PICTURE: &[u8] = include_bytes!("../../crates/camera/tests/fixtures/420-optimal-33x17.jpg");

#[derive(Arbitrary, Debug)]
enum Act {
    /// A buffer of these bytes.
    Bytes { bytes: Vec<u8>, flagged: bool, dropped: u32 },
    /// A good picture, cut to this length and with one byte changed.
    JpegImage { length: u16, at: u16, change: u8, flagged: bool, dropped: u32 },
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
struct Play {
    allow_truncated: bool,
    raw: bool,
    acts: Vec<Act>,
}

fuzz_target!(|play: Play| {
    let script = Script::default();
    let mut gadget = Gadget::webcam("Cam");
    if play.raw {
        gadget.formats.remove(0);
    }
    script.plug(NODE, gadget.clone());
    let request = CameraOptions { allow_truncated: play.allow_truncated, ..CameraOptions::default() };
    let camera = script.devices().camera(NODE.as_ref(), request).expect("it is a camera");
    let mut capture = None;
    for act in play.acts {
        match act {
            Act::Bytes { bytes, flagged, dropped } => script.give(NODE, Step::Buffer { bytes, flagged, dropped }),
            Act::JpegImage { length, at, change, flagged, dropped } => {
                let mut bytes = PICTURE[..PICTURE.len().min(length.into())].to_vec();
                if let Some(byte) = bytes.get_mut(usize::from(at)) {
                    *byte ^= change;
                }
                script.give(NODE, Step::Buffer { bytes, flagged, dropped });
            }
            Act::Error(error) => script.give(NODE, Step::Error(i32::from(error) + 1)),
            Act::Nothing => script.give(NODE, Step::Nothing),
            Act::Fail(operation, error) => {
                let operations = [Operation::Open, Operation::SetFormat, Operation::Start, Operation::Queue];
                script.fail(NODE, operations[usize::from(operation) % 4], i32::from(error) + 1, 1);
            }
            Act::Replug => {
                script.unplug(NODE);
                script.plug(NODE, gadget.clone());
            }
            Act::Read => {
                if capture.is_none() {
                    capture = camera.open().ok();
                }
                let Some(open) = &mut capture else { continue };
                match open.next(Instant::now()) {
                    Ok(captured) => match captured.image.map(|image| image.content) {
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
    assert_eq!(script.handles(), 0, "a node was left open");
});
