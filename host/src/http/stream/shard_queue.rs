//! The events that a shard's task handles besides pushes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The events of one shard, on connections of type `T`.
pub(super) struct ShardQueue<T> {
    pending: Mutex<Pending<T>>,
    notify: Notify,
}

struct Pending<T> {
    events: Events<T>,
    /// Whether the shard has a task. The task ends when no connections are left.
    has_task: bool,
}

/// Connections, by what happened to them.
pub(super) struct Events<T> {
    pub(super) joined: Vec<Arc<T>>,
    pub(super) writable: Vec<Arc<T>>,
    pub(super) departed: Vec<Arc<T>>,
}

impl<T> Default for Events<T> {
    fn default() -> Self {
        Self { joined: Vec::new(), writable: Vec::new(), departed: Vec::new() }
    }
}

impl<T> Default for ShardQueue<T> {
    fn default() -> Self {
        Self { pending: Mutex::new(Pending { events: Events::default(), has_task: false }), notify: Notify::new() }
    }
}

impl<T> ShardQueue<T> {
    /// Adds a new connection. Returns whether the caller must spawn the shard's task, because there is none. Does not
    /// wake the task: see [`wake`](Self::wake).
    pub(super) fn join(&self, connection: Arc<T>) -> bool {
        let mut pending = self.lock();
        pending.events.joined.push(connection);
        !std::mem::replace(&mut pending.has_task, true)
    }

    /// Tells the task that the sink of a connection accepts bytes again, and wakes it.
    pub(super) fn continue_with(&self, connection: Arc<T>) {
        self.add(connection, |events| &mut events.writable);
        self.wake();
    }

    /// Tells the task that the viewer of a connection has left. Does not wake it: it frees such viewers when it wakes
    /// next.
    pub(super) fn leave(&self, connection: Arc<T>) {
        self.add(connection, |events| &mut events.departed);
    }

    /// Adds an event, unless no task would take it: a connection owns the queue, so they would keep each other for ever.
    fn add(&self, connection: Arc<T>, to: impl FnOnce(&mut Events<T>) -> &mut Vec<Arc<T>>) {
        let mut pending = self.lock();
        if pending.has_task {
            to(&mut pending.events).push(connection);
        }
    }

    /// Wakes the task. It belongs to another runtime than the tasks of connections, so this costs a system call and two
    /// context switches.
    pub(super) fn wake(&self) {
        self.notify.notify_one();
    }

    /// Waits until the task is woken.
    pub(super) async fn woken(&self) {
        self.notify.notified().await;
    }

    /// Takes all events.
    pub(super) fn take(&self) -> Events<T> {
        std::mem::take(&mut self.lock().events)
    }

    /// Returns whether the task, which has no connections left, must end, because no new one has joined.
    pub(super) fn try_end_task(&self) -> bool {
        let mut pending = self.lock();
        if !pending.events.joined.is_empty() {
            return false;
        }
        // The remaining events are about connections that have left.
        pending.events = Events::default();
        pending.has_task = false;
        true
    }

    fn lock(&self) -> MutexGuard<'_, Pending<T>> {
        // No code that runs under the lock can leave the data inconsistent.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl<T> ShardQueue<T> {
    /// Returns whether the shard has a task.
    pub(super) fn has_task(&self) -> bool {
        self.lock().has_task
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They kept the queue, and it kept them.
    #[test]
    fn events_of_connections_that_outlive_the_task_are_dropped() {
        let queue = ShardQueue::default();
        let connection = Arc::new(());
        assert!(queue.join(connection.clone()));
        queue.take();
        assert!(queue.try_end_task());
        queue.leave(connection.clone());
        queue.continue_with(connection.clone());
        assert_eq!(Arc::strong_count(&connection), 1);
    }
}
