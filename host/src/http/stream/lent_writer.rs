//! A write half that a response body has lent to a shard.

use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::part_sender::{Offer, PartSender, Progress};
use super::shard_queue::ShardQueue;
use super::write_half::WriteHalf;

/// A lent write half, shared by the body that lent it and the shard that writes to it.
pub(super) struct LentWriter {
    /// The shard locks it only while it writes, which does not block, so the body can take the connection away at any
    /// moment.
    state: Mutex<State>,
    queue: Arc<ShardQueue<Self>>,
    /// The index among the shard's members. Only the shard uses it.
    pub(super) index: AtomicUsize,
}

enum State {
    /// The shard may write. The waker is that of the body's task.
    Lent(PartSender, Waker),
    /// The stream is over, after a whole chunk; or it failed because the client is gone.
    Finished(io::Result<WriteHalf>),
    /// The body has the write half again, or was dropped.
    Returned,
}

impl LentWriter {
    pub(super) fn new(sender: PartSender, queue: Arc<ShardQueue<Self>>) -> Arc<Self> {
        let state = Mutex::new(State::Lent(sender, Waker::noop().clone()));
        Arc::new(Self { state, queue, index: AtomicUsize::new(0) })
    }

    /// Waits for the end of the stream, and takes the write half back. The body calls this.
    ///
    /// # Errors
    ///
    /// Fails if the client is gone.
    pub(super) fn poll_finished(&self, context: &Context<'_>) -> Poll<io::Result<WriteHalf>> {
        let mut state = self.lock();
        if let State::Lent(_, waker) = &mut *state {
            waker.clone_from(context.waker());
            return Poll::Pending;
        }
        match std::mem::replace(&mut *state, State::Returned) {
            State::Finished(result) => Poll::Ready(result),
            State::Lent(..) | State::Returned => Poll::Pending,
        }
    }

    /// Takes the connection away from the shard, wherever it is in its stream. The body calls this when it is dropped.
    pub(super) fn abandon(self: &Arc<Self>) {
        let state = std::mem::replace(&mut *self.lock(), State::Returned);
        // In the other states the shard has removed it already.
        if matches!(state, State::Lent(..)) {
            self.queue.leave(self.clone());
        }
    }

    /// Sends what the viewer is due and the sink accepts. The shard calls this.
    pub(super) fn send(self: &Arc<Self>, offer: &Offer, writes: &mut usize) -> Progress {
        let mut state = self.lock();
        let State::Lent(sender, _) = &mut *state else { return Progress::Finished };
        let result = if self.state.is_poisoned() {
            Err(io::Error::other("sending a part panicked, so how much of it was sent is unknown"))
        } else {
            match sender.send(offer, writes, || self.clone().into()) {
                Ok(Progress::Finished) => Ok(()),
                Ok(progress) => return progress,
                Err(error) => Err(error),
            }
        };
        if let State::Lent(sender, waker) = std::mem::replace(&mut *state, State::Returned) {
            *state = State::Finished(result.map(|()| sender.into_writer()));
            drop(state);
            waker.wake();
        }
        Progress::Finished
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // After a panic, `send` only ends the stream.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the shard to continue with this connection, because its sink accepts bytes again.
impl Wake for LentWriter {
    fn wake(self: Arc<Self>) {
        let queue = self.queue.clone();
        queue.continue_with(self);
    }
}

#[cfg(test)]
impl LentWriter {
    /// Calls `f` with the sender while the shard may write, and returns false otherwise.
    pub(super) fn is_lent_and(&self, f: impl FnOnce(&mut PartSender) -> bool) -> bool {
        match &mut *self.lock() {
            State::Lent(sender, _) => f(sender),
            State::Finished(_) | State::Returned => false,
        }
    }
}
