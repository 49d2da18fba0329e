//! What a camera is doing, and what it has lost.

use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;

use super::frame::{Frame, JpegImage};
use super::source::StreamMode;

/// Why there is no picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutageCause {
    /// The device is not there.
    NotFound,
    /// Another program uses it.
    Busy,
    /// This user may not use it.
    AccessDenied,
    /// It is not a camera, or has no format that can be served.
    Unsupported,
    /// It is open and silent.
    Stalled,
    /// Anything else.
    Failed,
}

/// A time without pictures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outage {
    /// The kind of failure.
    pub cause: OutageCause,
    /// One line for a person: what is wrong and what to do.
    pub message: Arc<str>,
}

/// What a camera is doing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum State {
    /// Closed, because nobody reads it.
    #[default]
    Idle,
    /// Being opened, or open without a picture so far.
    Starting,
    /// Open and giving frames.
    Live,
    /// Without pictures, and tried again and again.
    Lost(Outage),
}

/// A camera at one moment.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// What it is doing.
    pub state: State,
    /// How it last streamed; none until it was open for the first time.
    pub mode: Option<StreamMode>,
    /// The newest frame; none while the camera is closed or lost, and until its first.
    pub frame: Option<Arc<Frame>>,
    /// While it is lost: a picture that says why.
    pub placeholder: Option<JpegImage>,
}

/// Frames that a camera gave and that nobody could see, by cause, since some moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LostFrames {
    /// Never given out by the driver: gaps in its numbers.
    pub dropped: u64,
    /// ImageInfo, and taken too late: a newer one was there already.
    pub late: u64,
    /// Called damaged by the driver itself.
    pub flagged: u64,
    /// Without any bytes.
    pub empty: u64,
    /// Cut off, or otherwise no image in the format that was agreed.
    pub malformed: u64,
    /// ImageInfo to look at, with wrong bytes in the middle.
    pub corrupt: u64,
}

impl LostFrames {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.dropped + self.late + self.damaged()
    }

    /// Those that came and were no pictures.
    pub fn damaged(&self) -> u64 {
        self.flagged + self.empty + self.malformed + self.corrupt
    }
}

impl AddAssign for LostFrames {
    fn add_assign(&mut self, other: Self) {
        self.dropped += other.dropped;
        self.late += other.late;
        self.flagged += other.flagged;
        self.empty += other.empty;
        self.malformed += other.malformed;
        self.corrupt += other.corrupt;
    }
}

impl fmt::Display for LostFrames {
    /// `3 dropped, 1 corrupt`, or `none lost`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes = [
            (self.dropped, "dropped"),
            (self.late, "late"),
            (self.flagged, "flagged"),
            (self.empty, "empty"),
            (self.malformed, "malformed"),
            (self.corrupt, "corrupt"),
        ];
        let mut separator = "";
        for (count, cause) in causes.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count} {cause}")?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("none lost") } else { Ok(()) }
    }
}

/// How many frames a camera gave since the host began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FrameCounts {
    /// Those that could be seen.
    pub frames: u64,
    /// Those that could not.
    pub lost: LostFrames,
}

impl fmt::Display for FrameCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} frames, {}", self.frames, self.lost)
    }
}
