//! Numbers, counts and records the frames of a camera.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::frame::{Frame, monotonic_now};
use super::frame_counts::{FrameCounts, LostFrames};
use super::history::{FrameRecord, History};

/// Neither lost frames nor the numbers of a source advance the numbers beyond this. From there on they count only images,
/// of which no camera delivers so many: so all stay below 2^53, and clients in JavaScript can represent them, whatever a
/// source claims.
const MAX_ADVANCED: u64 = 1 << 52;

/// Numbers, counts and records the frames of a camera since the host started, across all times it is opened. Written by
/// the threads that serve the camera; readable by anyone.
#[derive(Debug, Default)]
pub(super) struct FrameTracker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: FrameCounts,
    history: History,
    /// The sequence number of the next frame, lost or not.
    next_sequence: u64,
    /// Frames lost since the last numbered image.
    lost: u64,
    /// The frames with lower numbers are withdrawn.
    first_valid: u64,
}

/// The position of an image in its camera's stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamPosition {
    /// The sequence number.
    pub(super) sequence: u64,
    /// The number of frames lost between the previous image and this one.
    pub(super) lost_before: u64,
}

impl FrameTracker {
    /// Counts frames that were lost before the next image.
    pub(super) fn add_lost(&self, lost: LostFrames) {
        let mut state = self.state();
        state.counts.lost += lost;
        let advanced = state.next_sequence.saturating_add(lost.total()).min(MAX_ADVANCED);
        state.next_sequence = state.next_sequence.max(advanced);
        state.lost = state.lost.saturating_add(lost.total());
    }

    /// Continues with this number, unless the numbers so far are higher or no source gets so far. The numbers in between
    /// do not count as lost.
    pub(super) fn advance_to(&self, sequence: u64) {
        let mut state = self.state();
        if sequence <= MAX_ADVANCED {
            state.next_sequence = state.next_sequence.max(sequence);
        }
    }

    /// Numbers a captured image.
    pub(super) fn next_position(&self) -> StreamPosition {
        let mut state = self.state();
        let position = StreamPosition { sequence: state.next_sequence, lost_before: state.lost };
        state.next_sequence = state.next_sequence.saturating_add(1);
        state.lost = 0;
        position
    }

    /// Withdraws the images that were numbered so far and are still being encoded or filtered: the camera has an outage,
    /// or had no readers, since they were captured.
    pub(super) fn withdraw(&self) {
        let mut state = self.state();
        state.first_valid = state.next_sequence;
    }

    /// Whether the image with this number is withdrawn, so that no reader may get it.
    pub(super) fn is_withdrawn(&self, sequence: u64) -> bool {
        sequence < self.state().first_valid
    }

    /// Counts a numbered image that was replaced before it was encoded.
    pub(super) fn add_replaced(&self) {
        self.state().counts.lost.late += 1;
    }

    /// Counts and records a frame that is about to be delivered.
    pub(super) fn add_frame(&self, frame: &Frame, lost_before: u64) {
        let mut state = self.state();
        state.counts.frames += 1;
        state.history.add(frame, lost_before, monotonic_now());
    }

    /// Returns the counts so far.
    pub(super) fn counts(&self) -> FrameCounts {
        self.state().counts
    }

    /// Returns the rate of recent frames, like [`History::rate`].
    pub(super) fn rate(&self, now: Duration) -> f64 {
        self.state().history.rate(now)
    }

    /// Returns up to `limit` records, like [`History::records`].
    pub(super) fn history(&self, first: u64, limit: usize) -> Vec<FrameRecord> {
        self.state().history.records(first, limit).collect()
    }

    /// Returns the record of the frame with this number.
    pub(super) fn record_of(&self, sequence: u64) -> Option<FrameRecord> {
        self.state().history.record_of(sequence)
    }

    /// Ignores poisoning: no critical section can leave the state inconsistent.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_of_a_source_and_no_lost_frames_exhaust_the_numbers() {
        let tracker = FrameTracker::default();
        let next = || tracker.next_position().sequence;
        assert_eq!(next(), 0);
        tracker.advance_to(10);
        tracker.add_lost(LostFrames { dropped: 5, ..LostFrames::default() });
        assert_eq!((next(), next()), (15, 16));
        for number in [u64::MAX, (1 << 53) - 1] {
            tracker.advance_to(number);
        }
        assert_eq!(next(), 17);
        let mut last = 17;
        for _ in 0..5000 {
            tracker.advance_to(1 << 52);
            tracker.add_lost(LostFrames { dropped: (1 << 53) - 1, ..LostFrames::default() });
            let sequence = next();
            assert!(sequence > last && sequence < 1 << 53, "{sequence} after {last}");
            last = sequence;
        }
    }
}
