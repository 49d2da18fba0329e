//! Limits the log lines about denied requests.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http::auth::{LeakyBucket, Rate};

/// How many denied requests are logged, of all clients together.
const RATE: Rate = Rate { burst: 10, recovery: Duration::from_secs(10) };

/// Counts denied requests.
pub(super) struct DenialLog(Mutex<State>);

struct State {
    bucket: LeakyBucket,
    /// The number of denied requests not logged since the last one that was.
    suppressed: u64,
}

impl DenialLog {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { bucket: LeakyBucket::new(Instant::now()), suppressed: 0 }))
    }

    /// Counts a denied request. Returns `None` if it should not be logged, otherwise the number of those not logged
    /// before it.
    pub(super) fn permit(&self) -> Option<u64> {
        let mut state = self.state();
        if state.bucket.fill(Instant::now(), RATE) {
            return Some(std::mem::take(&mut state.suppressed));
        }
        state.suppressed += 1;
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state inconsistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_shows_some_denied_requests_and_the_number_of_others() {
        let log = DenialLog::new();
        for _ in 0..RATE.burst {
            assert_eq!(log.permit(), Some(0));
        }
        for _ in 0..5 {
            assert_eq!(log.permit(), None);
        }
        log.state().bucket = LeakyBucket::new(Instant::now());
        assert_eq!(log.permit(), Some(5));
    }
}
