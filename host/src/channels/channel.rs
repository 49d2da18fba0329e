//! One channel: its newest part, its publisher, and the number of its viewers.
//!
//! A push replaces the newest part and wakes the viewers, which then take the part by reference. Nothing queues: a
//! viewer that is slow to look misses parts. The lock inside the watch guards only copies and pointer swaps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use slab::Slab;
use tokio::sync::watch;

use super::channel_totals::ChannelTotals;
use super::part::Part;
use super::viewer_stats::ViewerStats;

/// Identifies a channel among all channels of this process, including those that have ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ChannelId(u64);

/// A stream that is published once and shared by all its viewers.
pub struct Channel {
    id: ChannelId,
    name: String,
    totals: Arc<ChannelTotals>,
    state: watch::Sender<ChannelState>,
    /// Notifies only when it becomes 0, which is all that anyone waits for: each notification of another runtime costs
    /// a system call and two context switches.
    viewer_count: watch::Sender<usize>,
    viewer_stats: Mutex<Slab<Arc<ViewerStats>>>,
}

/// What the viewers of a channel see.
#[derive(Clone, Debug, Default)]
pub struct ChannelState {
    /// The newest part. `None` before the first push.
    pub newest: Option<Arc<Part>>,
    /// The number of the newest part, counted from 1. 0 before the first push.
    pub number: u64,
    /// Whether the stream is over.
    pub is_closed: bool,
    /// The number of the publisher of the newest part. 0 before the first push.
    publisher: u64,
}

impl Channel {
    /// Creates a channel without parts or viewers, which counts what is sent in these totals.
    pub(super) fn new(name: String, totals: Arc<ChannelTotals>) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self {
            id: ChannelId(NEXT_ID.fetch_add(1, Ordering::Relaxed)),
            name,
            totals,
            state: watch::Sender::default(),
            viewer_count: watch::Sender::default(),
            viewer_stats: Mutex::default(),
        }
    }

    /// Returns the channel's id.
    pub fn id(&self) -> ChannelId {
        self.id
    }

    /// Returns the channel's name, unique among open channels.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what counts everything that is sent through channels of this name.
    pub(super) fn totals(&self) -> &Arc<ChannelTotals> {
        &self.totals
    }

    /// Returns the number of viewers.
    pub fn viewers(&self) -> usize {
        *self.viewer_count.borrow()
    }

    /// Returns the label of each viewer, and the parts per second it was sent in the last second or two.
    pub(super) fn viewer_stats(&self) -> Vec<(String, f64)> {
        let now = Instant::now();
        self.lock_viewer_stats().iter().map(|(_, stats)| (stats.label().to_owned(), stats.rate(now))).collect()
    }

    /// Waits until the channel has no viewers.
    pub async fn unwatched(&self) {
        // Cannot fail: `self` holds the sender.
        let _ = self.viewer_count.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Returns a publisher. Its first push takes the channel over from publishers with lower numbers, whose later
    /// pushes are ignored.
    pub fn publisher(self: &Arc<Self>, number: u64) -> Publisher {
        Publisher { channel: self.clone(), number }
    }

    /// Returns the number of the publisher that pushed last. 0 before the first push.
    pub fn latest_publisher(&self) -> u64 {
        self.state.borrow().publisher
    }

    /// Waits until the publisher with this number, or a later one, has taken over.
    pub async fn taken_over(&self, number: u64) {
        // Cannot fail: `self` holds the sender.
        let _ = self.state.subscribe().wait_for(|state| state.publisher >= number).await;
    }

    /// Ends the stream for all viewers.
    pub fn close(&self) {
        self.state.send_modify(|state| state.is_closed = true);
    }

    /// Returns the current state.
    pub fn state(&self) -> ChannelState {
        self.state.borrow().clone()
    }

    /// Returns a receiver of state changes. The current state counts as seen.
    pub fn subscribe(&self) -> watch::Receiver<ChannelState> {
        self.state.subscribe()
    }

    /// Returns whether the newest part has another number than this, or the channel is closed.
    pub fn has_changed_since(&self, number: u64) -> bool {
        self.state.borrow().differs_from(number)
    }

    /// Waits until the newest part has another number than this, or the channel is closed.
    pub(super) fn changed_since(&self, number: u64) -> impl Future<Output = ()> + Send + use<> {
        let mut receiver = self.state.subscribe();
        async move {
            // Fails if the channel is gone, and its viewers with it.
            let _ = receiver.wait_for(|state| state.differs_from(number)).await;
        }
    }

    /// Counts a viewer. Returns the key for [`remove_viewer`](Self::remove_viewer).
    pub(super) fn add_viewer(&self, stats: Arc<ViewerStats>) -> usize {
        self.viewer_count.send_if_modified(|count| {
            *count += 1;
            false
        });
        self.lock_viewer_stats().insert(stats)
    }

    /// Stops counting a viewer.
    pub(super) fn remove_viewer(&self, key: usize) {
        {
            let mut stats = self.lock_viewer_stats();
            stats.try_remove(key);
            // A slab keeps a slot for every entry it ever held. Shrinking scans all slots, so do it only after the
            // number of viewers has halved.
            if stats.len().is_power_of_two() && stats.len() < stats.capacity() / 4 {
                stats.shrink_to_fit();
            }
        }
        self.viewer_count.send_if_modified(|count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }

    fn lock_viewer_stats(&self) -> MutexGuard<'_, Slab<Arc<ViewerStats>>> {
        // No code that runs under the lock can leave the data inconsistent.
        self.viewer_stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChannelState {
    /// Returns whether a viewer that has seen the part with this number has something to do.
    fn differs_from(&self, number: u64) -> bool {
        self.number != number || self.is_closed
    }
}

/// Pushes parts to a channel. Clones have the same number.
#[derive(Clone)]
pub struct Publisher {
    channel: Arc<Channel>,
    number: u64,
}

impl Publisher {
    /// Returns the channel's name.
    pub fn name(&self) -> &str {
        self.channel.name()
    }

    /// Makes `part` the newest part and wakes the viewers. Does nothing if a later publisher has taken over, or the
    /// channel is closed. Does not block.
    ///
    /// Call it on a thread of the runtime that sends the parts: waking a task of another runtime costs a system call.
    pub fn push(&self, part: Part) {
        // The check and the push are one step, so no part of an earlier publisher follows the first of a later one.
        self.channel.state.send_if_modified(|state| {
            if self.number < state.publisher || state.is_closed {
                return false;
            }
            state.newest = Some(Arc::new(part));
            state.number += 1;
            state.publisher = self.number;
            self.channel.totals.add_pushed();
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn part(text: &'static str) -> Part {
        Part::new(text.into(), Bytes::new(), Bytes::new())
    }

    #[tokio::test]
    async fn a_later_publisher_takes_over_with_its_first_push() {
        let channel = Arc::new(Channel::new("c".to_owned(), Arc::default()));
        let (first, second) = (channel.publisher(1), channel.publisher(2));
        let newest = || channel.state().newest.unwrap().head.clone();
        first.push(part("1"));
        assert_eq!((newest(), channel.latest_publisher()), ("1".into(), 1));
        second.push(part("2"));
        channel.taken_over(2).await;
        first.push(part("late"));
        assert_eq!((newest(), channel.latest_publisher()), ("2".into(), 2));
        channel.close();
        second.push(part("closed"));
        assert_eq!((newest(), channel.state().number), ("2".into(), 2));
    }
}
