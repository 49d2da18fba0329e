//! What a camera gave and lost since the host began: how much, and the last frames one by one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::frame::Frame;
use super::history::{FrameRecord, History};
use super::status::{FrameCounts, LostFrames};

/// A camera's record, over all of its openings. The threads that work for it write it; everyone may read.
#[derive(Debug, Default)]
pub(super) struct Record {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: FrameCounts,
    history: History,
    /// The number of the next image, seen or not.
    next_sequence: u64,
    /// The losses since the last image that was handed on.
    lost: u64,
}

/// An image's place among those of its camera.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Its number.
    pub(super) sequence: u64,
    /// How many nobody could see between the one before it and it.
    pub(super) lost_before: u64,
}

impl Record {
    /// Some were lost before the next image.
    pub(super) fn lose(&self, losses: LostFrames) {
        let mut state = self.state();
        state.counts.lost += losses;
        state.next_sequence += losses.total();
        state.lost += losses.total();
    }

    /// The place of an image that came now.
    pub(super) fn place(&self) -> Place {
        let mut state = self.state();
        let place = Place { sequence: state.next_sequence, lost_before: state.lost };
        state.next_sequence += 1;
        state.lost = 0;
        place
    }

    /// An image that had its place was not made a frame in time.
    pub(super) fn overtake(&self) {
        self.state().counts.lost.late += 1;
    }

    /// A frame is given to readers.
    pub(super) fn add(&self, frame: &Frame, lost_before: u64) {
        let mut state = self.state();
        state.counts.frames += 1;
        state.history.add(frame, lost_before);
    }

    /// How many there were.
    pub(super) fn counts(&self) -> FrameCounts {
        self.state().counts
    }

    /// Up to `limit` of the last frames, as [`History::records`] gives them.
    pub(super) fn history(&self, first: u64, limit: usize) -> Vec<FrameRecord> {
        self.state().history.records(first, limit).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
