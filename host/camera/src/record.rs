//! What a camera gave and lost since the host began: how much, and the last frames one by one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::frame::Frame;
use super::history::{Entry, History};
use super::status::{Counts, Losses};

/// A camera's record. The threads that work for it write it; everyone may read.
#[derive(Debug, Default)]
pub(super) struct Record {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    history: History,
    /// The losses that there were at the last frame.
    lost_until_last: u64,
}

impl Record {
    /// A frame is given to readers.
    pub(super) fn add(&self, frame: &Frame) {
        let mut state = self.state();
        let lost = state.counts.losses.total();
        let lost_before = lost - state.lost_until_last;
        state.lost_until_last = lost;
        state.counts.frames += 1;
        state.history.add(frame, lost_before);
    }

    /// Some are lost.
    pub(super) fn lose(&self, losses: Losses) {
        self.state().counts.losses += losses;
    }

    /// How many there were.
    pub(super) fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Up to `limit` of the last frames, as [`History::entries`] gives them.
    pub(super) fn entries(&self, first: u64, limit: usize) -> Vec<Entry> {
        self.state().history.entries(first, limit).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
