//! Instances that have answered, and are kept for the next request: those whose guest allows it (`wit/instances.wit`).
//!
//! Making an instance and ending it takes twice as long as what the built-in guest does in it for a new viewer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::Proxy;

use super::instance::Instance;

/// The most spares at a time. They are taken by requests that need no more than a processor for a moment, of which there
/// are as many as processors; requests that wait have instances made for them.
pub const SPARES: u32 = 8;

/// The most memory that an instance may have to be kept, in bytes: with [`SPARES`], what they may hold for nothing.
const MEMORY: usize = 8 << 20;

/// After so many answers an instance ends, and with it what its guest has forgotten to free. It makes the time that
/// making one takes no more than a hundredth of the cost.
const ANSWERS: u32 = 128;

/// The spare instances of one generation's guest.
pub struct Spares {
    /// The one that was used last is used next: its memory is most likely in the processor's caches. None when the
    /// generation answers no more requests.
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
    /// An instance to answer the next request, as good as new.
    pub(super) fn take(&self) -> Option<Spare> {
        let mut spare = self.shelf().as_mut()?.pop()?;
        spare.store.data_mut().renew();
        Some(spare)
    }

    /// An instance has answered, and its call has returned: keep it if it may be kept, or else end it.
    pub(super) fn put(&self, spare: Spare) {
        if spare.answers >= ANSWERS || !spare.store.data().can_be_kept(MEMORY) {
            return;
        }
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
        let spares = self.shelf().take();
        drop(spares);
    }

    fn shelf(&self) -> MutexGuard<'_, Option<Vec<Spare>>> {
        // Nothing that is done under the lock can leave it half done.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
