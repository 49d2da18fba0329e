//! One channel: its newest part, and waking those who wait for it.
//!
//! A push stores the part and then wakes every viewer; a viewer looks at a number to see whether there is a new
//! part, and takes it by reference. No lock is held while anything is sent, and nothing queues.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::Waker;
use std::time::Instant;

use slab::Slab;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::fanout::FanOut;
use super::part::Part;
use super::viewer_stats::ViewerStats;

/// A stream that is built once and shared.
pub struct Channel {
    name: String,
    newest: RwLock<Newest>,
    /// How many parts were pushed, and one more when the channel was closed. Only grows; viewers compare it with
    /// what they saw last.
    pushes: AtomicU64,
    /// One waker for each viewer that waits or has waited for its body to be asked. They stay in place: each push wakes
    /// all of them.
    waiting: Mutex<Slab<Waker>>,
    /// The connections that parts are sent to without their viewers' doing.
    fan_out: FanOut,
    /// What each viewer takes, at the seat that it was given.
    seats: Mutex<Slab<Arc<ViewerStats>>>,
    /// How many viewers there are. Whoever runs the publisher waits on it.
    viewers: watch::Sender<usize>,
    /// The publisher whose parts are taken; those of an earlier one are not any more.
    publisher: watch::Sender<u64>,
}

#[derive(Default)]
struct Newest {
    part: Option<Arc<Part>>,
    /// The number of pushes up to this one.
    number: u64,
    closed: bool,
}

/// What a viewer finds in a channel.
pub(super) enum Look {
    /// The newest part, and the number of pushes up to it.
    Part(Arc<Part>, u64),
    /// Nothing new since.
    Nothing,
    /// The stream is over.
    Closed,
}

impl Channel {
    /// A channel without parts. `runtime` sends them: the one that they are pushed from.
    pub(super) fn new(name: String, runtime: Handle) -> Self {
        Self {
            name,
            newest: RwLock::default(),
            pushes: AtomicU64::new(0),
            waiting: Mutex::default(),
            fan_out: FanOut::new(runtime),
            seats: Mutex::default(),
            viewers: watch::Sender::default(),
            publisher: watch::Sender::default(),
        }
    }

    /// Its name, unique among the channels.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many viewers it has.
    pub fn viewers(&self) -> usize {
        *self.viewers.borrow()
    }

    /// Of each viewer its label, and how many parts per second it took lately.
    pub(super) fn viewer_stats(&self) -> Vec<(String, f64)> {
        let now = Instant::now();
        self.seats().iter().map(|(_, tally)| (tally.label().to_owned(), tally.rate(now))).collect()
    }

    /// Wait until it has no viewers.
    pub async fn unwatched(&self) {
        // The sender is in here, so there always is one.
        let _ = self.viewers.subscribe().wait_for(|viewers| *viewers == 0).await;
    }

    /// Publish as the publisher of this number, from the first push on. It takes over from those of lower numbers;
    /// one of a higher number takes over from it.
    pub fn publisher(self: &Arc<Self>, number: u64) -> Publisher {
        Publisher { channel: self.clone(), number }
    }

    /// The number of the publisher that pushed last; 0 before the first push.
    pub fn latest_publisher(&self) -> u64 {
        *self.publisher.borrow()
    }

    /// Wait until the publisher of this number, or a later one, has taken over.
    pub async fn taken_over(&self, number: u64) {
        let _ = self.publisher.subscribe().wait_for(|current| *current >= number).await;
    }

    /// End the stream, for all who watch it.
    pub fn close(&self) {
        let number = {
            let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
            newest.closed = true;
            newest.number += 1;
            newest.number
        };
        self.tell(number);
    }

    /// What there is for a viewer that has seen this many pushes.
    pub(super) fn look(&self, seen: u64) -> Look {
        // Stored after the part, so that whoever sees the number finds that part, or a newer one.
        let pushes = self.pushes();
        if pushes == seen {
            return Look::Nothing;
        }
        let newest = self.newest.read().unwrap_or_else(PoisonError::into_inner);
        match &newest.part {
            _ if newest.closed => Look::Closed,
            // Its own number, and not the one above: it may be of a push that is just being told.
            Some(part) if newest.number != seen => Look::Part(part.clone(), newest.number),
            _ => Look::Nothing,
        }
    }

    /// Become a viewer. Returns the seat, for [`leave`](Self::leave).
    pub(super) fn enter(&self, tally: Arc<ViewerStats>) -> usize {
        self.viewers.send_modify(|viewers| *viewers += 1);
        self.seats().insert(tally)
    }

    pub(super) fn leave(&self, seat: usize) {
        remove(&mut self.seats(), seat);
        self.viewers.send_modify(|viewers| *viewers = viewers.saturating_sub(1));
    }

    /// How many pushes there were.
    pub(super) fn pushes(&self) -> u64 {
        self.pushes.load(Ordering::Acquire)
    }

    /// Wake the task of this waker at each push. Returns its place, for [`wait_no_more`](Self::wait_no_more).
    pub(super) fn wait(&self, waker: Waker) -> usize {
        self.waiting().insert(waker)
    }

    /// Put this waker in the place of the one before.
    pub(super) fn wait_with(&self, place: usize, waker: &Waker) {
        if let Some(kept) = self.waiting().get_mut(place) {
            kept.clone_from(waker);
        }
    }

    /// Do not wake the task at this place any more.
    pub(super) fn wait_no_more(&self, place: usize) {
        remove(&mut self.waiting(), place);
    }

    fn waiting(&self) -> MutexGuard<'_, Slab<Waker>> {
        // Nothing that is done under the lock can leave it half done.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those who send its parts by lines that were lent.
    pub(super) fn fan_out(&self) -> &FanOut {
        &self.fan_out
    }

    fn seats(&self) -> MutexGuard<'_, Slab<Arc<ViewerStats>>> {
        // As above.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wake all viewers for the push of this number.
    fn tell(&self, number: u64) {
        self.pushes.fetch_max(number, Ordering::Release);
        for (_, waker) in &*self.waiting() {
            waker.wake_by_ref();
        }
        self.fan_out.wake();
    }
}

/// Remove an entry, and give memory back from time to time: a slab keeps the place of every entry that it ever had.
fn remove<T>(slab: &mut Slab<T>, key: usize) {
    slab.try_remove(key);
    // That takes as long as the slab is large, so it is done when the number of entries has halved.
    if slab.len().is_power_of_two() && slab.len() < slab.capacity() / 4 {
        slab.shrink_to_fit();
    }
}

/// The right to push parts to a channel.
pub struct Publisher {
    channel: Arc<Channel>,
    number: u64,
}

impl Publisher {
    /// The channel's name.
    pub fn name(&self) -> &str {
        self.channel.name()
    }

    /// Make this the channel's newest part, unless a later publisher has taken over. Wakes all viewers; is to be
    /// called on a thread of the runtime, since waking them from another costs a system call for each.
    pub fn push(&self, part: Part) {
        let mut newest = self.channel.newest.write().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that no part of an earlier publisher comes after the first of a later one.
        let current = *self.channel.publisher.borrow();
        if self.number < current || newest.closed {
            return;
        }
        newest.part = Some(Arc::new(part));
        newest.number += 1;
        let number = newest.number;
        if self.number > current {
            self.channel.publisher.send_replace(self.number);
        }
        drop(newest);
        self.channel.tell(number);
    }
}
