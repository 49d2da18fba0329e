//! Notes that a function of the host lets other tasks run although the guest need not wait.
//!
//! Tokio wakes such a guest only after the poll, so its waker cannot tell that from an event that the guest has waited
//! for. A file of its own, because the functions of the host and the code that polls guests both use it.

use std::cell::Cell;

thread_local! {
    static IS_NOTED: Cell<bool> = const { Cell::new(false) };
}

/// For functions of the host that are about to call `yield_now` for a guest.
pub(in crate::sandbox) fn note() {
    IS_NOTED.set(true);
}

/// Whether [`note`] was called by this thread since the last call of this function.
pub(super) fn take_note() -> bool {
    IS_NOTED.replace(false)
}
