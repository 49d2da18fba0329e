//! A bounded queue of log lines. Adding a line never waits for the writer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many lines can wait. With the longest line, this limits the memory that the server holds to some megabytes when
/// the reader of standard error has stopped.
const CAPACITY: usize = 1024;

/// A bounded queue with many producers and one consumer, the writer.
#[derive(Default)]
pub(super) struct LogQueue {
    state: Mutex<State>,
    /// Wakes the writer: there are lines, or it should check the time.
    changed: Condvar,
    /// Wakes those that wait until all lines are written.
    written: Condvar,
}

#[derive(Default)]
struct State {
    text: String,
    lines: usize,
    /// The number of lines dropped since the last batch was taken.
    dropped: u64,
    is_woken: bool,
    /// Whether the writer is still writing the last batch.
    is_writing: bool,
}

/// What to write next.
pub(super) struct Batch {
    /// Whole lines.
    pub(super) text: String,
    /// The number of lines dropped after these.
    pub(super) dropped: u64,
}

impl LogQueue {
    /// Adds a line, which includes its newline. If the queue is full, drops and counts it.
    pub(super) fn push(&self, line: String) {
        let mut state = self.state();
        if state.lines >= CAPACITY {
            state.dropped += 1;
            return;
        }
        state.text.push_str(&line);
        state.lines += 1;
        drop(state);
        self.changed.notify_one();
    }

    /// Makes the writer's [`take`](Self::take) return, even without lines.
    pub(super) fn wake(&self) {
        self.state().is_woken = true;
        self.changed.notify_one();
    }

    /// Takes all lines. Blocks until there are some, but no longer than `timeout`. Only the writer may call this, and
    /// must call [`batch_written`](Self::batch_written) afterwards.
    pub(super) fn take(&self, timeout: Option<Duration>) -> Batch {
        let is_idle = |state: &mut State| state.lines == 0 && state.dropped == 0 && !state.is_woken;
        let mut state = self.state();
        state = match timeout {
            None => self.changed.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let result = self.changed.wait_timeout_while(state, timeout, is_idle);
                result.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.lines = 0;
        state.is_woken = false;
        state.is_writing = true;
        Batch { text: std::mem::take(&mut state.text), dropped: std::mem::take(&mut state.dropped) }
    }

    /// Records that the last batch has been written.
    pub(super) fn batch_written(&self) {
        self.state().is_writing = false;
        self.written.notify_all();
    }

    /// Blocks until all lines are written, but no longer than `timeout`.
    pub(super) fn flush(&self, timeout: Duration) {
        let is_busy = |state: &mut State| state.lines > 0 || state.dropped > 0 || state.is_writing;
        let _ = self.written.wait_timeout_while(self.state(), timeout, is_busy);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state inconsistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_capacity_are_dropped_and_counted() {
        let queue = LogQueue::default();
        (0..CAPACITY + 7).for_each(|number| queue.push(format!("{number}\n")));
        let Batch { text, dropped } = queue.take(None);
        assert_eq!((text.lines().count(), dropped), (CAPACITY, 7));
        queue.push("after\n".to_owned());
        let Batch { text, dropped } = queue.take(None);
        assert_eq!((text.as_str(), dropped), ("after\n", 0));
    }

    #[test]
    fn flush_returns_when_the_writer_is_stuck() {
        let queue = LogQueue::default();
        queue.push("a\n".to_owned());
        queue.take(None);
        queue.flush(Duration::from_millis(1));
        queue.batch_written();
        queue.flush(Duration::from_secs(3600));
    }
}
