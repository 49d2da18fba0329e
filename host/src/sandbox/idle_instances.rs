//! Instances that have answered, and are kept for the next request: those whose guest allows it (`wit/instances.wit`).
//!
//! Making an instance and ending it takes longer than all that the built-in guest does in it for a new viewer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tracing::debug;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::Proxy;

use super::state::GuestState;

/// The most spares at a time. A request that does not wait takes one for a moment, so as many as there are processors are
/// enough for all of those, and few machines with cameras have more; where requests wait, instances are made beside.
pub const MAX_IDLE_INSTANCES: u32 = 8;

/// The most linear memory that an instance may have to be kept, in bytes. [`MAX_IDLE_INSTANCES`] times that is what may be held for
/// nothing; stacks and tables are small beside it.
const IDLE_MEMORY_LIMIT: usize = 8 << 20;

/// After so many answers an instance ends, and with it what its guest has forgotten to free. Making it is a hundredth of
/// what they cost together.
const ANSWERS: u32 = 128;

/// How long an instance is kept without a request. Most are needed for a burst only, and each may hold [`IDLE_MEMORY_LIMIT`].
const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// The spare instances of one generation's guest.
#[derive(Default)]
pub struct IdleInstances {
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    /// With the moment since when each is idle, oldest first. The one that came last goes first: its memory is most likely in
    /// the processor's caches.
    idle: Vec<(Instant, IdleInstance)>,
    /// No more are wanted.
    is_closed: bool,
    /// Whether there is a task that ends those that are idle for too long. It ends when there are none.
    has_task: bool,
}

/// An instance that may answer another request.
pub(super) struct IdleInstance {
    pub(super) store: Store<GuestState>,
    pub(super) proxy: Proxy,
    /// How many requests it has answered.
    pub(super) answers: u32,
}

impl IdleInstances {
    /// An instance to answer the next request.
    pub(super) fn take(&self) -> Option<IdleInstance> {
        Some(self.shelf().idle.pop()?.1)
    }

    /// An instance has given a whole answer, and its call has returned: keep it if it can be kept, or else end it. Must be
    /// called inside a Tokio runtime.
    pub(super) fn put(self: &Arc<Self>, mut idle_instance: IdleInstance) {
        let instance = idle_instance.store.data_mut();
        if !instance.allows_another {
            return;
        }
        if idle_instance.answers >= ANSWERS || instance.holds_anything() || instance.memory() > IDLE_MEMORY_LIMIT {
            debug!("an instance of the guest is not used again, after {} answers", idle_instance.answers);
            return;
        }
        // Before it waits, for it must hold nothing meanwhile.
        instance.make_ready();
        let mut shelf = self.shelf();
        if shelf.is_closed || shelf.idle.len() >= MAX_IDLE_INSTANCES as usize {
            // Ending an instance takes a while, which the others need not wait for.
            drop(shelf);
            drop(idle_instance);
            return;
        }
        shelf.idle.push((Instant::now(), idle_instance));
        if !shelf.has_task {
            shelf.has_task = true;
            tokio::spawn(end_idle(Arc::downgrade(self)));
        }
    }

    /// End all, and keep no more.
    pub fn close(&self) {
        let mut shelf = self.shelf();
        shelf.is_closed = true;
        let idle = std::mem::take(&mut shelf.idle);
        // So that they do not end under the lock.
        drop(shelf);
        drop(idle);
    }

    /// Take those that have been idle for too long. Returns `None` if there are no idle instances at all; the task ends then.
    fn take_expired(&self) -> Option<Vec<(Instant, IdleInstance)>> {
        let mut shelf = self.shelf();
        if shelf.idle.is_empty() {
            shelf.has_task = false;
            return None;
        }
        let expired = shelf.idle.iter().take_while(|(since, _)| since.elapsed() >= IDLE_LIMIT).count();
        Some(shelf.idle.drain(..expired).collect())
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing that is done under the lock can leave it half done.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// End instances that are idle for too long, until there are none, or their generation is gone.
async fn end_idle(idle_instances: Weak<IdleInstances>) {
    loop {
        sleep(IDLE_LIMIT).await;
        let Some(idle_instances) = idle_instances.upgrade() else { return };
        if idle_instances.take_expired().is_none() {
            return;
        }
    }
}
