//! Instances that have handled a request and wait for another, because their guest allows reuse.
//!
//! Creating and dropping an instance takes longer than everything the built-in guest does in it for a new viewer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tracing::debug;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::Proxy;

use crate::sandbox::state::GuestState;

/// The most idle instances of one guest. Requests that do not wait use an instance for a moment, so one per processor
/// is enough, and few machines with cameras have more processors. Other requests create instances as needed.
pub const MAX_IDLE_INSTANCES: u32 = 8;

/// The most linear memory that the idle instances of one guest may have together, in bytes. It is occupied without
/// being used. An instance of the built-in guest has 1 MiB, one with a JavaScript engine or CPython 9 to 14 MiB, so
/// there may be fewer of those. Stacks and tables are small in comparison.
pub(in crate::sandbox) const MAX_IDLE_MEMORY: usize = 64 << 20;

/// The most requests that one instance handles, one after another or, if it is shared, in total. Dropping the instance
/// frees the memory that its guest has leaked, and creating another costs a hundredth of handling all these requests.
pub(in crate::sandbox) const MAX_REQUESTS: u32 = 128;

/// How long an instance may be idle. Most are needed for a burst only, and together they may hold [`MAX_IDLE_MEMORY`].
pub(in crate::sandbox) const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The idle instances of one generation.
#[derive(Default)]
pub struct IdleInstances {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Oldest first. The newest is reused first, since its memory is most likely in the processor's caches.
    instances: Vec<Entry>,
    is_closed: bool,
    /// Whether a task is running that drops expired instances. It ends when there are no instances.
    has_reaper: bool,
}

struct Entry {
    /// When the instance became idle.
    since: Instant,
    /// Its linear memory, in bytes.
    memory: usize,
    instance: IdleInstance,
}

/// An instance that may handle another request.
pub(super) struct IdleInstance {
    pub(super) store: Store<GuestState>,
    pub(super) proxy: Proxy,
    /// The number of requests it has handled.
    pub(super) requests: u32,
}

impl IdleInstances {
    /// Takes an instance to handle the next request.
    pub(super) fn take(&self) -> Option<IdleInstance> {
        Some(self.lock().instances.pop()?.instance)
    }

    /// Adds an instance whose call has returned after a complete response. Drops it if it must not be reused. Must be
    /// called inside a Tokio runtime.
    pub(super) fn put(self: &Arc<Self>, mut instance: IdleInstance) {
        let state = instance.store.data_mut();
        if !state.reuse_allowed {
            return;
        }
        let memory = state.memory_used();
        if instance.requests >= MAX_REQUESTS || state.holds_resources() || memory > MAX_IDLE_MEMORY {
            debug!("not reusing a guest instance that handled {} requests", instance.requests);
            return;
        }
        // Reset it now, so that it holds nothing while it is idle.
        state.reset();
        let mut inner = self.lock();
        let memories = inner.instances.iter().map(|entry| entry.memory);
        if inner.is_closed || !has_room(memories, memory) {
            // Dropping an instance takes a while, so release the lock first.
            drop(inner);
            drop(instance);
            return;
        }
        inner.instances.push(Entry { since: Instant::now(), memory, instance });
        if !inner.has_reaper {
            inner.has_reaper = true;
            tokio::spawn(reap_expired(Arc::downgrade(self)));
        }
    }

    /// Drops all idle instances, and accepts no more.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        let instances = std::mem::take(&mut inner.instances);
        // Drop the instances without the lock.
        drop(inner);
        drop(instances);
    }

    /// Removes and returns the instances that have been idle for too long. Returns `None` if there are no idle
    /// instances at all; the reaper must end then.
    fn take_expired(&self) -> Option<Vec<Entry>> {
        let mut inner = self.lock();
        if inner.instances.is_empty() {
            inner.has_reaper = false;
            return None;
        }
        let expired = inner.instances.iter().take_while(|entry| entry.since.elapsed() >= IDLE_TIMEOUT).count();
        Some(inner.instances.drain(..expired).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No panic can leave the data inconsistent, so a poisoned lock is safe to use.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an instance with `memory` bytes may be idle beside idle instances with `memories`.
fn has_room(memories: impl ExactSizeIterator<Item = usize>, memory: usize) -> bool {
    memories.len() < MAX_IDLE_INSTANCES as usize && memories.sum::<usize>() + memory <= MAX_IDLE_MEMORY
}

/// Drops expired instances until there are none, or until their generation was dropped.
async fn reap_expired(idle_instances: Weak<IdleInstances>) {
    loop {
        sleep(IDLE_TIMEOUT).await;
        let Some(idle_instances) = idle_instances.upgrade() else { return };
        if idle_instances.take_expired().is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most instances of this size that are idle at the same time.
    fn most_idle(memory: usize) -> usize {
        (0..).find(|count| !has_room(vec![memory; *count].into_iter(), memory)).unwrap()
    }

    #[test]
    fn there_are_fewer_idle_instances_if_they_are_larger() {
        assert_eq!(most_idle(1 << 20), 8);
        assert_eq!(most_idle(8 << 20), 8);
        assert_eq!(most_idle(9 << 20), 7);
        assert_eq!(most_idle(14 << 20), 4);
        assert_eq!(most_idle(64 << 20), 1);
        assert_eq!(most_idle(65 << 20), 0);
        assert!(!has_room([60 << 20, 2 << 20].into_iter(), 3 << 20));
    }
}
