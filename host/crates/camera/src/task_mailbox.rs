//! Hands the newest value from threads to a task.
//!
//! Unlike a watch of Tokio, which notifies eight lists of waiters one after the other: if the first notification lets the
//! task run at once, on the processor of the thread that sent it, the task soon waits again, and another notification
//! wakes it in vain. That would happen to nearly every frame.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Creates a mailbox. It is closed once all clones of the sender are dropped.
pub(super) fn task_mailbox<T>() -> (MailSender<T>, MailReceiver<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State { newest: None, last: None, is_closed: false }),
        changed: Notify::new(),
    });
    (MailSender(Arc::new(Closer(shared.clone()))), MailReceiver(shared))
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

struct State<T> {
    newest: Option<T>,
    /// Is received after the newest value, and not replaced by another.
    last: Option<T>,
    /// No more values will come.
    is_closed: bool,
}

/// Where values go in.
pub(super) struct MailSender<T>(Arc<Closer<T>>);

/// Where the task takes them out.
pub(super) struct MailReceiver<T>(Arc<Shared<T>>);

/// Closes the mailbox when dropped.
struct Closer<T>(Arc<Shared<T>>);

impl<T> MailSender<T> {
    /// Hands over a value. If one is still waiting, it is lost.
    pub(super) fn put(&self, value: T) {
        self.put_with(|| Some(value));
    }

    /// Hands over a value that is received after all others, none of which is lost.
    pub(super) fn put_last(&self, value: T) {
        let shared = &self.0.0;
        shared.lock().last = Some(value);
        shared.changed.notify_one();
    }

    /// Hands over what `make` returns, if anything. All calls of `make` follow one another, in the order of their values.
    pub(super) fn put_with(&self, make: impl FnOnce() -> Option<T>) {
        let shared = &self.0.0;
        let mut state = shared.lock();
        let Some(value) = make() else { return };
        let lost = state.newest.replace(value);
        drop(state);
        drop(lost);
        shared.changed.notify_one();
    }
}

impl<T> Clone for MailSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Drop for Closer<T> {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_one();
    }
}

impl<T> MailReceiver<T> {
    /// Waits for a value. Returns `None` once the mailbox is closed and empty. Cancel-safe.
    pub(super) async fn receive(&mut self) -> Option<T> {
        loop {
            {
                let mut state = self.0.lock();
                let value = state.newest.take().or_else(|| state.last.take());
                if value.is_some() || state.is_closed {
                    return value;
                }
            }
            // If a value has arrived in the meantime, this returns at once.
            self.0.changed.notified().await;
        }
    }
}

impl<T> Shared<T> {
    /// Ignores poisoning: no critical section can leave the state inconsistent.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake};

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_newest_value_is_received_and_each_wakes_the_task_once() {
        let (sender, mut receiver) = task_mailbox();
        let wakes = Arc::new(Wakes::default());
        let waker = wakes.clone().into();
        let mut context = Context::from_waker(&waker);
        for round in 1..4 {
            let mut receive = pin!(receiver.receive());
            assert_eq!(receive.as_mut().poll(&mut context), Poll::Pending);
            sender.put("older");
            sender.put("newest");
            sender.put_with(|| None);
            assert_eq!(wakes.0.load(Ordering::Relaxed), round);
            assert_eq!(receive.poll(&mut context), Poll::Ready(Some("newest")));
        }
        let other = sender.clone();
        drop(sender);
        other.put_last("last");
        other.put("newest");
        drop(other);
        assert_eq!(pin!(receiver.receive()).poll(&mut context), Poll::Ready(Some("newest")));
        assert_eq!(pin!(receiver.receive()).poll(&mut context), Poll::Ready(Some("last")));
        assert_eq!(pin!(receiver.receive()).poll(&mut context), Poll::Ready(None));
    }
}
