//! Lines that wait to be written. Adding one never waits for the writer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many lines may wait. Together with the longest line this bounds what a reader of standard error that has stopped
/// can make the server hold, to some megabytes.
const LINES: usize = 1024;

/// A bounded queue from many threads to one.
#[derive(Default)]
pub(super) struct LineQueue {
    waiting: Mutex<Waiting>,
    /// For the writer: there are lines, or it shall look at the clock again.
    changed: Condvar,
    /// For who waits until all is written.
    done: Condvar,
}

#[derive(Default)]
struct Waiting {
    text: String,
    lines: usize,
    /// How many lines found no room since the last batch was taken.
    lost: u64,
    is_woken: bool,
    /// Whether the writer is still at the last batch.
    is_writing: bool,
}

/// What is to be written next.
pub(super) struct Batch {
    /// Whole lines.
    pub(super) text: String,
    /// How many lines were lost after these.
    pub(super) lost: u64,
}

impl LineQueue {
    /// Add a line, with its newline. If there is no room, it is counted and dropped.
    pub(super) fn push(&self, line: String) {
        let mut waiting = self.waiting();
        if waiting.lines >= LINES {
            waiting.lost += 1;
            return;
        }
        waiting.text.push_str(&line);
        waiting.lines += 1;
        drop(waiting);
        self.changed.notify_one();
    }

    /// Have the writer's [`take`](Self::take) return, even if there is nothing to write.
    pub(super) fn wake(&self) {
        self.waiting().is_woken = true;
        self.changed.notify_one();
    }

    /// Wait for lines, at most for so long, and take all of them. To be called by one thread, which calls
    /// [`written`](Self::written) when it has written them.
    pub(super) fn take(&self, timeout: Option<Duration>) -> Batch {
        let is_idle = |waiting: &mut Waiting| waiting.lines == 0 && waiting.lost == 0 && !waiting.is_woken;
        let mut waiting = self.waiting();
        waiting = match timeout {
            None => self.changed.wait_while(waiting, is_idle).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let result = self.changed.wait_timeout_while(waiting, timeout, is_idle);
                result.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        waiting.lines = 0;
        waiting.is_woken = false;
        waiting.is_writing = true;
        Batch { text: std::mem::take(&mut waiting.text), lost: std::mem::take(&mut waiting.lost) }
    }

    /// The last batch was written.
    pub(super) fn written(&self) {
        self.waiting().is_writing = false;
        self.done.notify_all();
    }

    /// Wait until all lines are written, but not longer than this.
    pub(super) fn flush(&self, limit: Duration) {
        let is_busy = |waiting: &mut Waiting| waiting.lines > 0 || waiting.lost > 0 || waiting.is_writing;
        let _ = self.done.wait_timeout_while(self.waiting(), limit, is_busy);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that is done under the lock can leave it half done.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_limit_are_dropped_and_counted() {
        let queue = LineQueue::default();
        (0..LINES + 7).for_each(|number| queue.push(format!("{number}\n")));
        let Batch { text, lost } = queue.take(None);
        assert_eq!((text.lines().count(), lost), (LINES, 7));
        queue.push("after\n".to_owned());
        let Batch { text, lost } = queue.take(None);
        assert_eq!((text.as_str(), lost), ("after\n", 0));
    }

    #[test]
    fn flush_returns_when_the_writer_is_stuck() {
        let queue = LineQueue::default();
        queue.push("a\n".to_owned());
        queue.take(None);
        queue.flush(Duration::from_millis(1));
        queue.written();
        queue.flush(Duration::from_secs(3600));
    }
}
