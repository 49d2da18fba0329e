//! Hands the newest value to a thread that cannot keep up with all of them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Holds the newest value for a thread.
pub(super) struct Mailbox<T> {
    state: Mutex<MailboxState<T>>,
    changed: Condvar,
}

struct MailboxState<T> {
    newest: Option<T>,
    /// No more values will come.
    is_closed: bool,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        let state = MailboxState { newest: None, is_closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<T> Mailbox<T> {
    /// Hands over a value. If one is still waiting, it is lost: `replace` tells the new one about it. Returns whether
    /// that happened.
    pub(super) fn put(&self, mut value: T, replace: impl FnOnce(&mut T, T)) -> bool {
        let mut state = self.lock();
        let replaced = state.newest.take().map(|lost| replace(&mut value, lost)).is_some();
        state.newest = Some(value);
        drop(state);
        self.changed.notify_one();
        replaced
    }

    /// Discards the waiting value.
    pub(super) fn clear(&self) {
        self.lock().newest = None;
    }

    /// Ends the thread after the value that waits.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Waits for a value. Returns `None` once the mailbox is closed and empty.
    pub(super) fn receive(&self) -> Option<T> {
        let is_empty = |state: &mut MailboxState<T>| state.newest.is_none() && !state.is_closed;
        let mut state = self.changed.wait_while(self.lock(), is_empty).unwrap_or_else(PoisonError::into_inner);
        state.newest.take()
    }

    /// Ignores poisoning: no critical section can leave the state inconsistent.
    fn lock(&self) -> MutexGuard<'_, MailboxState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
