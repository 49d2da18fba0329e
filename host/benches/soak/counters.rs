//! Statistics of a run.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub struct Counters {
    pub parts: AtomicU64,
    pub responses: AtomicU64,
    /// The responses with a status of 400 or more.
    pub refusals: AtomicU64,
    /// Requests without a complete response, such as streams that ended because of a swap or a fault.
    pub failures: AtomicU64,
    pub swaps: AtomicU64,
    pub faults: AtomicU64,
}

pub fn increment(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    /// Counts a request by its status. `None` means that the response was incomplete.
    pub fn count_request(&self, status: Option<u16>) {
        match status {
            Some(status) => {
                increment(&self.responses);
                if status >= 400 {
                    increment(&self.refusals);
                }
            }
            None => increment(&self.failures),
        }
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [parts, responses, refusals, failures, swaps, faults] =
            [&self.parts, &self.responses, &self.refusals, &self.failures, &self.swaps, &self.faults]
                .map(|counter| counter.load(Ordering::Relaxed));
        write!(
            f,
            "{parts} parts, {responses} responses ({refusals} with status 400 or more), {failures} incomplete, \
             {swaps} swaps, {faults} faults"
        )
    }
}
