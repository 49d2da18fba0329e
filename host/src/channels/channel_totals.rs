//! What was sent through channels of one name since the server started.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// Counts what was sent through all channels of one name since the server started. They only ever increase.
#[derive(Debug, Default)]
pub struct ChannelTotals {
    pushed: AtomicU64,
    sent: AtomicU64,
    skipped: AtomicU64,
    bytes: AtomicU64,
}

impl ChannelTotals {
    /// Counts a part that a publisher has pushed.
    pub(super) fn add_pushed(&self) {
        self.pushed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a part that a viewer is sent.
    pub(super) fn add_sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts parts that a viewer has missed.
    pub(super) fn add_skipped(&self, parts: u64) {
        self.skipped.fetch_add(parts, Ordering::Relaxed);
    }

    /// Counts bytes that a viewer was sent.
    pub(super) fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The counts so far, for this many viewers at present.
    pub(super) fn report(&self, name: String, viewers: usize) -> ChannelReport {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ChannelReport {
            name,
            viewers,
            pushed: load(&self.pushed),
            sent: load(&self.sent),
            skipped: load(&self.skipped),
            bytes: load(&self.bytes),
        }
    }
}

/// A channel at one moment, with what was sent through channels of this name since the server started.
/// The field names are those of the JSON of `GET /status`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChannelReport {
    /// The name, or [`OTHER_CHANNELS`](super::OTHER_CHANNELS).
    pub name: String,
    /// The viewers that the channel has. 0 if it is not open.
    pub viewers: usize,
    /// The parts that publishers have pushed.
    pub pushed: u64,
    /// The parts that all viewers together were sent.
    pub sent: u64,
    /// The parts that viewers missed because they, or the server, were too slow. Parts that the rate limit of a viewer
    /// leaves out do not count.
    pub skipped: u64,
    /// The bytes that all viewers together were sent. What the fan-out sends includes HTTP's framing of the body, what
    /// hyper sends does not.
    pub bytes: u64,
}
