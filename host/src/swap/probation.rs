//! Probation: the first requests of a generation decide whether its guest stays.

use std::sync::atomic::{AtomicU32, Ordering};

/// How many requests a probation lasts.
const REQUESTS: u32 = 10;

/// How many failures end it. Half: a guest that fails on one of its pages stays. One that can hardly answer anything
/// goes, and a single page load finds that out within a second.
const FAILURES: u32 = 5;

/// The probation of one generation.
#[derive(Debug, Default)]
pub(super) struct Probation {
    begun: AtomicU32,
    failed: AtomicU32,
}

impl Probation {
    /// A request has begun. Returns whether it is part of the probation.
    pub(super) fn begin(&self) -> bool {
        // Stops counting at the end, so that it never overflows.
        let count = |begun| (begun < REQUESTS).then_some(begun + 1);
        self.begun.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_ok()
    }

    /// A request that is part of the probation says nothing about the guest: another one takes its place.
    pub(super) fn take_back(&self) {
        self.begun.fetch_sub(1, Ordering::Relaxed);
    }

    /// A request that is part of the probation has failed. Returns true once: when that was one too many.
    pub(super) fn fail(&self) -> bool {
        self.failed.fetch_add(1, Ordering::Relaxed) + 1 == FAILURES
    }

    /// Whether the guest has failed its probation.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed) >= FAILURES
    }

    /// Whether there is reason to doubt the guest: it has failed on some request, and the probation is not over.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.failed.load(Ordering::Relaxed) > 0 && self.begun.load(Ordering::Relaxed) < REQUESTS
    }

    /// What the limit is, for the log.
    pub(super) fn verdict() -> String {
        format!("failed on {FAILURES} of its first {REQUESTS} requests")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_failure_is_one_too_many_and_said_once() {
        let probation = Probation::default();
        let verdicts: Vec<_> = (0..10).map(|_| probation.begin() && probation.fail()).collect();
        assert_eq!(verdicts.iter().position(|verdict| *verdict), Some(4));
        assert_eq!(verdicts.iter().filter(|verdict| **verdict).count(), 1);
        assert!(probation.has_failed());
    }

    #[test]
    fn a_guest_is_in_doubt_from_its_first_failure_to_the_end_of_its_probation() {
        let probation = Probation::default();
        assert!(!probation.is_in_doubt());
        assert!(probation.begin() && !probation.fail());
        assert!(probation.is_in_doubt());
        assert!((1..REQUESTS).all(|_| probation.begin()));
        assert!(!probation.is_in_doubt() && !probation.has_failed());
    }

    #[test]
    fn what_says_nothing_does_not_count() {
        let probation = Probation::default();
        for _ in 0..3 * REQUESTS {
            assert!(probation.begin());
            probation.take_back();
        }
        assert!((0..REQUESTS).all(|_| probation.begin()));
        assert!(!probation.begin());
    }

    #[test]
    fn only_the_first_requests_count() {
        let probation = Probation::default();
        assert!((0..REQUESTS).all(|_| probation.begin()));
        assert!(!probation.begin());
    }
}
