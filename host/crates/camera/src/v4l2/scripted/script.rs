//! The vocabulary of scripts: cameras, steps and operations.

use crate::dimensions::Dimensions;
use crate::fourcc::FourCc;
use crate::raw::MAX_PLANES;
use crate::v4l2::device::DeviceCaps;

/// A scripted camera, as it is plugged in.
#[derive(Clone, Debug)]
pub struct ScriptedCamera {
    /// The model name.
    pub card: String,
    /// Where it is attached.
    pub bus: String,
    /// The formats, each with frame sizes and frame rates.
    pub formats: Vec<(FourCc, Vec<Dimensions>, Vec<f64>)>,
    /// The `device_caps`.
    pub caps: u32,
    /// Whether it implements VIDIOC_ENUMINPUT.
    pub has_input: bool,
    /// The names of the video inputs.
    pub inputs: Vec<String>,
    /// The names of the video standards.
    pub standards: Vec<String>,
    /// The size of what the camera crops pictures from, if it can crop.
    pub crop_bounds: Option<Dimensions>,
    /// Further controls: their IDs and largest values. They are integers that start at 0.
    pub more_controls: Vec<(u32, i64)>,
}

impl ScriptedCamera {
    /// A webcam with MJPG and YUYV at 640x480 and 320x240, and 30 and 15 frames per second.
    pub fn webcam(card: &str) -> Self {
        let sizes = vec![Dimensions { width: 640, height: 480 }, Dimensions { width: 320, height: 240 }];
        let formats = [*b"MJPG", *b"YUYV"].map(|code| (FourCc(code), sizes.clone(), vec![30.0, 15.0]));
        let caps = DeviceCaps::VIDEO_CAPTURE | DeviceCaps::STREAMING;
        Self {
            card: card.to_owned(),
            bus: format!("usb-{card}"),
            formats: formats.into(),
            caps,
            has_input: true,
            inputs: vec!["Camera 1".to_owned()],
            standards: Vec::new(),
            crop_bounds: None,
            more_controls: Vec::new(),
        }
    }
}

/// What a scripted camera does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Fills a buffer.
    Buffer {
        /// The contents of its planes. A single-planar buffer has one plane; the others are empty.
        planes: [Vec<u8>; MAX_PLANES],
        /// Whether the driver flags it as damaged.
        is_flagged: bool,
        /// How many frames the driver drops before it.
        dropped: u32,
    },
    /// Becomes ready, then fails to dequeue with this error number.
    Error(i32),
    /// Becomes ready, but has no buffer.
    Nothing,
    /// The signal changes.
    SignalChange,
}

impl Step {
    /// Fills a buffer with these bytes.
    pub fn buffer(bytes: &[u8]) -> Self {
        Self::planes([bytes, &[], &[]])
    }

    /// Fills the planes of a buffer with these bytes.
    pub fn planes(planes: [&[u8]; MAX_PLANES]) -> Self {
        Self::Buffer { planes: planes.map(<[u8]>::to_vec), is_flagged: false, dropped: 0 }
    }
}

/// An operation that can be made to fail.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Operation {
    /// Opening the node.
    Open,
    /// Adopting the timings of the signal.
    AdoptTimings,
    /// Setting the format.
    SetFormat,
    /// Starting the stream.
    Start,
    /// Queuing a buffer.
    Queue,
}

// The controls of every scripted camera. The exposure time is inactive while the exposure is automatic.
pub(super) const BRIGHTNESS: u32 = 1;
pub(super) const EXPOSURE_TIME: u32 = 2;
pub(super) const AUTO_EXPOSURE: u32 = 3;
pub(super) const PAN_RESET: u32 = 4;
