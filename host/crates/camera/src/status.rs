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

    /// Returns the name in the WIT, such as `not-found`.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(cause, _)| *cause == self).map_or("failed", |(_, name)| name)
    }

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

impl Outage {
    /// Whether the messages are the same except for their numbers: bytes that arrived, process IDs, times.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.cause == other.cause && texts(&self.message).eq(texts(&other.message))
    }
}

/// The texts between the numbers of a message.
fn texts(message: &str) -> impl Iterator<Item = &str> {
    message.split(|char: char| char.is_ascii_digit()).filter(|text| !text.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_that_differ_only_in_numbers_are_alike() {
        let outage = |cause, message: &str| Outage { cause, message: message.into() };
        let ended = |message| outage(OutageCause::Failed, message);
        assert!(
            ended("no picture; 17 bytes of one arrived").is_like(&ended("no picture; 123456 bytes of one arrived"))
        );
        assert!(!ended("exited with code 1: no device").is_like(&ended("exited with code 1: no network")));
        assert!(!ended("1 and 2").is_like(&ended("1 or 2")));
        assert!(!ended("silent").is_like(&outage(OutageCause::Stalled, "silent")));
    }
}
