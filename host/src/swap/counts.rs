//! How often components were replaced, refused and rolled back.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// How often a component was replaced, refused and rolled back since the server started.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SwapCounts {
    /// Replacements by a candidate.
    pub replaced: u64,
    /// Rollbacks that an operator has asked for.
    pub rolled_back: u64,
    /// Rollbacks because a component failed its probation.
    pub failed_over: u64,
    /// Candidates that were refused, by the kind of the reason ([`SwapError::kind`](super::SwapError::kind)).
    pub refused: BTreeMap<&'static str, u64>,
}

/// Why a component does not run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Refusal {
    /// The reason, in one line.
    pub reason: String,
    /// When it happened, in seconds since 1970.
    pub at: f64,
}

impl Refusal {
    pub(super) fn now(reason: String) -> Self {
        Self { reason, at: unix_time(SystemTime::now()) }
    }
}

/// Seconds since 1970, rounded to milliseconds. A clock that shows an earlier time was never set, and counts as 0.
pub(super) fn unix_time(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The candidates that were refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    /// The last one, or the last component that failed its probation.
    pub(super) last: Option<Refusal>,
    by_kind: BTreeMap<&'static str, u64>,
}

impl Refusals {
    /// Records that a candidate was refused.
    pub(super) fn add(&mut self, kind: &'static str, reason: String) {
        *self.by_kind.entry(kind).or_default() += 1;
        self.last = Some(Refusal::now(reason));
    }

    /// Like [`add`](Self::add), unless the last one was refused for the same reason.
    pub(super) fn add_new(&mut self, kind: &'static str, reason: String) {
        if self.last.as_ref().is_none_or(|last| last.reason != reason) {
            self.add(kind, reason);
        }
    }

    /// Adds the refusals to these counts.
    pub(super) fn counted_in(&self, counts: SwapCounts) -> SwapCounts {
        SwapCounts { refused: self.by_kind.clone(), ..counts }
    }
}
