//! The task that sends a channel's parts to some of its viewers.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval};

use super::chunk::Chunk;
use super::lent_writer::LentWriter;
use super::members::Members;
use super::part_sender::{Offer, Progress};
use super::shard_queue::{Events, ShardQueue};
use crate::channels::{ChannelState, LONGEST_PAUSE};
use crate::process::supervisor::{Backoff, restart_on_panic};

/// The number of writes after which a shard lets other tasks run. With large parts they take a millisecond.
pub(super) const SLICE: usize = 32;

/// How often a shard looks for viewers that were sent nothing for [`LONGEST_PAUSE`], and frees those that have left.
const PAUSE_CHECK: Duration = Duration::from_secs(1);

/// One shard of a fan-out.
pub(super) struct Shard {
    channel: watch::Receiver<ChannelState>,
    queue: Arc<ShardQueue<LentWriter>>,
    members: Members,
    /// The connections to serve out of turn: new ones, and those whose sinks accept bytes again.
    ready: VecDeque<Arc<LentWriter>>,
    offer: Offer,
}

/// The result of one slice.
enum Slice {
    /// Everything that sinks accept is sent.
    Finished,
    /// There is more to send.
    Unfinished,
}

impl Shard {
    pub(super) fn new(channel: watch::Receiver<ChannelState>, queue: Arc<ShardQueue<LentWriter>>) -> Self {
        let offer =
            Offer { newest: None, file: OnceCell::new(), viewers: 0, number: 0, is_closed: false, resend_before: None };
        let mut shard = Self { channel, queue, members: Members::default(), ready: VecDeque::new(), offer };
        shard.update_offer();
        shard
    }

    /// Sends until no connections are left. Must run on a Tokio runtime, unconstrained by Tokio's budget for one task:
    /// it yields after each slice itself.
    ///
    /// If it panics, it continues after a pause with the same connections, which would get no more parts otherwise.
    pub(super) async fn run(self) {
        let shard = Mutex::new(self);
        restart_on_panic("the fan-out of a channel", Backoff::DEFAULT, || async {
            shard.lock().await.send_to_the_last().await;
        })
        .await;
    }

    async fn send_to_the_last(&mut self) {
        let mut pause_check = interval(PAUSE_CHECK);
        pause_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Fails once the channel is dropped. By then its viewers have left, and the queue has the events.
                Ok(()) = self.channel.changed() => self.start_round_with_newest(),
                () = self.queue.woken() => {}
                _ = pause_check.tick() => {
                    self.offer.resend_before = Instant::now().checked_sub(LONGEST_PAUSE);
                    self.members.start_round();
                }
            }
            while let Slice::Unfinished = self.send_slice() {
                yield_now().await;
            }
            self.offer.resend_before = None;
            if self.members.is_empty() && self.queue.try_end_task() {
                return;
            }
        }
    }

    /// Sends due parts as far as sinks accept them, up to [`SLICE`] writes.
    fn send_slice(&mut self) -> Slice {
        self.update_members();
        if self.channel.has_changed().unwrap_or_default() {
            self.start_round_with_newest();
        }
        let mut writes = 0;
        while writes < SLICE {
            // Alternate, so that neither the ready connections nor the others wait for all of the other kind.
            let (ready, next) = (self.ready.pop_front(), self.members.next());
            if ready.is_none() && next.is_none() {
                return Slice::Finished;
            }
            if let Some(writer) = ready {
                self.members.set_blocked(&writer, false);
                self.send(&writer, &mut writes);
            }
            if let Some(writer) = next {
                self.send(&writer, &mut writes);
            }
        }
        Slice::Unfinished
    }

    fn send(&mut self, writer: &Arc<LentWriter>, writes: &mut usize) {
        match writer.send(&self.offer, writes) {
            Progress::UpToDate => {}
            Progress::Blocked => self.members.set_blocked(writer, true),
            Progress::Finished => self.members.remove(writer),
        }
    }

    fn update_members(&mut self) {
        let Events { joined, writable, departed } = self.queue.take();
        for writer in joined {
            self.members.insert(writer.clone());
            self.ready.push_back(writer);
        }
        self.ready.extend(writable);
        departed.iter().for_each(|writer| self.members.remove(writer));
    }

    /// Offers the newest part to all connections.
    fn start_round_with_newest(&mut self) {
        self.update_offer();
        self.members.start_round();
    }

    fn update_offer(&mut self) {
        let ChannelState { newest, number, is_closed, .. } = self.channel.borrow_and_update().clone();
        // Afterwards: a viewer who joins later finds that the channel has changed, and wakes the shard. Before the
        // offer, which says how many viewers there are.
        self.update_members();
        if self.offer.number != number {
            self.offer.newest = newest.and_then(Chunk::new).map(Arc::new);
            self.offer.file = OnceCell::new();
            self.offer.viewers = self.members.len();
            self.offer.number = number;
        }
        self.offer.is_closed = is_closed;
    }
}
