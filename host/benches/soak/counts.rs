//! What has happened so far.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub struct Counts {
    pub parts: AtomicU64,
    pub answers: AtomicU64,
    /// Of the answers, those with a status of 400 and above.
    pub refusals: AtomicU64,
    /// Requests without a whole answer, such as those of viewers that a new guest or a fault ended.
    pub failures: AtomicU64,
    pub swaps: AtomicU64,
    pub faults: AtomicU64,
}

pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counts {
    /// Counts a request by its status; `None` is no whole answer.
    pub fn answer(&self, status: Option<u16>) {
        match status {
            Some(status) => {
                count(&self.answers);
                if status >= 400 {
                    count(&self.refusals);
                }
            }
            None => count(&self.failures),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [parts, answers, refusals, failures, swaps, faults] =
            [&self.parts, &self.answers, &self.refusals, &self.failures, &self.swaps, &self.faults]
                .map(|counter| counter.load(Ordering::Relaxed));
        write!(
            f,
            "{parts} parts, {answers} answers ({refusals} of 400 and above), {failures} broken off, \
             {swaps} swaps, {faults} faults"
        )
    }
}
