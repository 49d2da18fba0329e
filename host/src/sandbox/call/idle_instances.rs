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

/// The most linear memory that an idle instance may have, in bytes. [`MAX_IDLE_INSTANCES`] times this much may be
/// occupied without being used. Stacks and tables are small in comparison.
const MAX_IDLE_MEMORY: usize = 8 << 20;

/// The most requests that one instance handles. Dropping the instance frees the memory that its guest has leaked, and
/// creating another costs a hundredth of handling all these requests.
const MAX_REQUESTS: u32 = 128;

/// How long an instance may be idle. Most are needed for a burst only, and each may hold [`MAX_IDLE_MEMORY`].
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The idle instances of one generation.
#[derive(Default)]
pub struct IdleInstances {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Each with the time at which it became idle, oldest first. The newest is reused first, since its memory is most
    /// likely in the processor's caches.
    instances: Vec<(Instant, IdleInstance)>,
    is_closed: bool,
    /// Whether a task is running that drops expired instances. It ends when there are no instances.
    has_reaper: bool,
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
        Some(self.lock().instances.pop()?.1)
    }

    /// Adds an instance whose call has returned after a complete response. Drops it if it must not be reused. Must be
    /// called inside a Tokio runtime.
    pub(super) fn put(self: &Arc<Self>, mut instance: IdleInstance) {
        let state = instance.store.data_mut();
        if !state.reuse_allowed {
            return;
        }
        if instance.requests >= MAX_REQUESTS || state.holds_resources() || state.memory_used() > MAX_IDLE_MEMORY {
            debug!("not reusing a guest instance that handled {} requests", instance.requests);
            return;
        }
        // Reset it now, so that it holds nothing while it is idle.
        state.reset();
        let mut inner = self.lock();
        if inner.is_closed || inner.instances.len() >= MAX_IDLE_INSTANCES as usize {
            // Dropping an instance takes a while, so release the lock first.
            drop(inner);
            drop(instance);
            return;
        }
        inner.instances.push((Instant::now(), instance));
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
    fn take_expired(&self) -> Option<Vec<(Instant, IdleInstance)>> {
        let mut inner = self.lock();
        if inner.instances.is_empty() {
            inner.has_reaper = false;
            return None;
        }
        let expired = inner.instances.iter().take_while(|(since, _)| since.elapsed() >= IDLE_TIMEOUT).count();
        Some(inner.instances.drain(..expired).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No panic can leave the data inconsistent, so a poisoned lock is safe to use.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
