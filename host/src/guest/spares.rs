//! Instances that have answered, and are kept for the next request: those whose guest allows it (`wit/instances.wit`).
//!
//! Making an instance and ending it takes longer than all that the built-in guest does in it for a new viewer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::debug;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::Proxy;

use super::instance::Instance;

/// The most spares at a time. A request that does not wait takes one for a moment, so as many as there are processors are
/// enough for all of those, and few machines with cameras have more; where requests wait, instances are made beside.
pub const SPARES: u32 = 8;

/// The most linear memory that an instance may have to be kept, in bytes. [`SPARES`] times that is what may be held for
/// nothing; stacks and tables are small beside it.
const SPARE_MEMORY: usize = 8 << 20;

/// After so many answers an instance ends, and with it what its guest has forgotten to free. Making it is a hundredth of
/// what they cost together.
const ANSWERS: u32 = 128;

/// The spare instances of one generation's guest.
pub struct Spares {
    /// The one that came last goes first: its memory is most likely in the processor's caches. None when no more are
    /// wanted.
    shelf: Mutex<Option<Vec<Spare>>>,
}

/// An instance that may answer another request.
pub(super) struct Spare {
    pub(super) store: Store<Instance>,
    pub(super) proxy: Proxy,
    /// How many requests it has answered.
    pub(super) answers: u32,
}

impl Default for Spares {
    fn default() -> Self {
        Self { shelf: Mutex::new(Some(Vec::new())) }
    }
}

impl Spares {
    /// An instance to answer the next request.
    pub(super) fn take(&self) -> Option<Spare> {
        self.shelf().as_mut()?.pop()
    }

    /// An instance has given a whole answer, and its call has returned: keep it if it can be kept, or else end it.
    pub(super) fn put(&self, mut spare: Spare) {
        let instance = spare.store.data_mut();
        if !instance.allows_another {
            return;
        }
        if spare.answers >= ANSWERS || instance.holds_anything() || instance.memory() > SPARE_MEMORY {
            debug!("an instance of the guest is not used again, after {} answers", spare.answers);
            return;
        }
        // Before it waits, for it must hold nothing meanwhile.
        instance.make_ready();
        let mut shelf = self.shelf();
        match shelf.as_mut() {
            Some(spares) if spares.len() < SPARES as usize => spares.push(spare),
            _ => {
                // Ending an instance takes a while, which the others need not wait for.
                drop(shelf);
                drop(spare);
            }
        }
    }

    /// End all, and keep no more.
    pub fn close(&self) {
        // Taken first, so that they do not end under the lock.
        let spares = self.shelf().take();
        drop(spares);
    }

    fn shelf(&self) -> MutexGuard<'_, Option<Vec<Spare>>> {
        // Nothing that is done under the lock can leave it half done.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
