//! The state of a camera.

use std::sync::Arc;

use super::frame::{Frame, JpegImage};
use super::stream_mode::StreamMode;

/// Why a camera has no picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutageCause {
    /// The device is missing.
    NotFound,
    /// Another program uses the device.
    Busy,
    /// The user of this process may not use the device.
    AccessDenied,
    /// The device is not a camera, or offers no usable format.
    Unsupported,
    /// The device is open but delivers nothing.
    Stalled,
    /// Anything else.
    Failed,
}

impl OutageCause {
    /// All causes with their names, as in the WIT.
    const NAMES: [(Self, &'static str); 6] = [
        (Self::NotFound, "not-found"),
        (Self::Busy, "busy"),
        (Self::AccessDenied, "access-denied"),
        (Self::Unsupported, "unsupported"),
        (Self::Stalled, "stalled"),
        (Self::Failed, "failed"),
    ];

    /// Returns the cause with this name in the WIT, such as `not-found`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, found)| *found == name).map(|(cause, _)| *cause)
    }
}

/// A period without pictures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outage {
    /// The kind of failure.
    pub cause: OutageCause,
    /// A single line for people: what is wrong and what to do.
    pub message: Arc<str>,
}

/// The state of a camera.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum State {
    /// Closed, because it has no readers.
    #[default]
    Idle,
    /// Being opened, or open but without a frame so far.
    Starting,
    /// Open and delivering frames.
    Live,
    /// Without pictures; reopened until it works.
    Lost(Outage),
}

/// A snapshot of a camera.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// The state.
    pub state: State,
    /// How the camera streams, or last streamed. `None` until it is first opened.
    pub mode: Option<StreamMode>,
    /// The newest frame. `None` while the camera is closed or lost, and before its first frame.
    pub frame: Option<Arc<Frame>>,
    /// During an outage, a picture that explains it.
    pub placeholder: Option<JpegImage>,
}
