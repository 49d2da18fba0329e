//! How many frames a camera delivered and lost.

use std::fmt;
use std::ops::AddAssign;

/// Frames that a camera captured but readers never saw, by cause.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LostFrames {
    /// Never delivered by the driver: gaps in its sequence numbers.
    pub dropped: u64,
    /// Complete, but replaced by a newer frame before they were processed.
    pub late: u64,
    /// Flagged as damaged by the driver (`V4L2_BUF_FLAG_ERROR`).
    pub flagged: u64,
    /// Without any bytes.
    pub empty: u64,
    /// Truncated, or not in the negotiated format.
    pub malformed: u64,
    /// Complete, but with damaged image data.
    pub corrupt: u64,
}

impl LostFrames {
    /// The sum over all causes.
    pub fn total(&self) -> u64 {
        self.dropped.saturating_add(self.late).saturating_add(self.damaged())
    }

    /// Frames that the driver delivered but that held no usable image.
    pub fn damaged(&self) -> u64 {
        self.flagged + self.empty + self.malformed + self.corrupt
    }
}

impl AddAssign for LostFrames {
    fn add_assign(&mut self, other: Self) {
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.late += other.late;
        self.flagged += other.flagged;
        self.empty += other.empty;
        self.malformed += other.malformed;
        self.corrupt += other.corrupt;
    }
}

/// Formats as `3 dropped, 1 corrupt`, or `none lost`.
impl fmt::Display for LostFrames {
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

/// Frames of a camera since the host started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FrameCounts {
    /// Frames delivered to readers.
    pub frames: u64,
    /// Frames that readers never saw.
    pub lost: LostFrames,
}

/// Formats as `25 frames, 3 dropped`.
impl fmt::Display for FrameCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} frames, {}", self.frames, self.lost)
    }
}
