//! Probation: the first requests of a generation decide whether its guest stays.

use std::sync::atomic::{AtomicU32, Ordering};

/// The number of requests on probation.
const REQUESTS: u32 = 10;

/// The number of failures that end it. A guest that fails on one of its pages stays below half. A guest that can hardly
/// answer anything reaches it with a single page load, within a second.
const MAX_FAILURES: u32 = 5;

/// The probation of one generation.
#[derive(Debug, Default)]
pub(super) struct Probation {
    requests: AtomicU32,
    failures: AtomicU32,
}

impl Probation {
    /// Counts a request. Returns whether it is on probation.
    pub(super) fn count_request(&self) -> bool {
        // Stops at the limit, so it cannot overflow.
        let count = |requests| (requests < REQUESTS).then_some(requests + 1);
        self.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_ok()
    }

    /// Uncounts a request on probation whose outcome does not depend on the guest.
    pub(super) fn uncount_request(&self) {
        self.requests.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts the failure of a request on probation. Returns `true` once, when the guest has failed its probation.
    pub(super) fn count_failure(&self) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed) + 1 == MAX_FAILURES
    }

    /// Whether the guest has failed its probation.
    pub(super) fn has_failed(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= MAX_FAILURES
    }

    /// Whether the guest has failed on a request and its probation is still running.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.failures.load(Ordering::Relaxed) > 0 && self.requests.load(Ordering::Relaxed) < REQUESTS
    }

    /// Describes a failed probation, for the log.
    pub(super) fn failure_text() -> String {
        format!("failed on {MAX_FAILURES} of its first {REQUESTS} requests")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_failure_ends_probation_and_is_reported_once() {
        let probation = Probation::default();
        let ends: Vec<_> = (0..10).map(|_| probation.count_request() && probation.count_failure()).collect();
        assert_eq!(ends.iter().position(|end| *end), Some(4));
        assert_eq!(ends.iter().filter(|end| **end).count(), 1);
        assert!(probation.has_failed());
    }

    #[test]
    fn a_guest_is_in_doubt_from_its_first_failure_until_its_probation_ends() {
        let probation = Probation::default();
        assert!(!probation.is_in_doubt());
        assert!(probation.count_request() && !probation.count_failure());
        assert!(probation.is_in_doubt());
        assert!((1..REQUESTS).all(|_| probation.count_request()));
        assert!(!probation.is_in_doubt() && !probation.has_failed());
    }

    #[test]
    fn uncounted_requests_are_not_on_probation() {
        let probation = Probation::default();
        for _ in 0..3 * REQUESTS {
            assert!(probation.count_request());
            probation.uncount_request();
        }
        assert!((0..REQUESTS).all(|_| probation.count_request()));
        assert!(!probation.count_request());
    }

    #[test]
    fn only_the_first_requests_are_on_probation() {
        let probation = Probation::default();
        assert!((0..REQUESTS).all(|_| probation.count_request()));
        assert!(!probation.count_request());
    }
}
