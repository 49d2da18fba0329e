//! A new generation's trial: its first requests decide whether it stays.

use std::sync::atomic::{AtomicU32, Ordering};

/// How many requests are the trial.
const REQUESTS: u32 = 10;

/// On how many of them a guest must fail to be taken back. Half: a guest that cannot serve one page of its
/// pages stays, one that can hardly serve anything does not, and a page load finds that out within a second.
const FAILURES: u32 = 5;

/// The trial of one generation.
#[derive(Debug, Default)]
pub(super) struct Trial {
    begun: AtomicU32,
    failed: AtomicU32,
}

impl Trial {
    /// A request has begun. Returns whether it is part of the trial.
    pub(super) fn begin(&self) -> bool {
        // Stops counting at the end, so that it never overflows.
        let count = |begun| (begun < REQUESTS).then_some(begun + 1);
        self.begun.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_ok()
    }

    /// A request that is part of the trial says nothing about the guest: another takes its place.
    pub(super) fn take_back(&self) {
        self.begun.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether there is no reason to doubt the guest: the trial is over, or nothing has failed so far.
    pub(super) fn has_been_passed(&self) -> bool {
        let failed = self.failed.load(Ordering::Relaxed);
        failed == 0 || (failed < FAILURES && self.begun.load(Ordering::Relaxed) >= REQUESTS)
    }

    /// A request that is part of the trial has failed. Returns true once: when that was one too many.
    pub(super) fn fail(&self) -> bool {
        self.failed.fetch_add(1, Ordering::Relaxed) + 1 == FAILURES
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
        let trial = Trial::default();
        let verdicts: Vec<_> = (0..10).map(|_| trial.begin() && trial.fail()).collect();
        assert_eq!(verdicts.iter().position(|verdict| *verdict), Some(4));
        assert_eq!(verdicts.iter().filter(|verdict| **verdict).count(), 1);
    }

    #[test]
    fn a_guest_is_doubted_from_its_first_failure_to_the_end_of_the_trial() {
        let trial = Trial::default();
        assert!(trial.has_been_passed());
        assert!(trial.begin() && !trial.fail());
        assert!(!trial.has_been_passed());
        assert!((1..REQUESTS).all(|_| trial.begin()));
        assert!(trial.has_been_passed());
    }

    #[test]
    fn what_says_nothing_does_not_count() {
        let trial = Trial::default();
        for _ in 0..3 * REQUESTS {
            assert!(trial.begin());
            trial.take_back();
        }
        assert!((0..REQUESTS).all(|_| trial.begin()));
        assert!(!trial.begin());
    }

    #[test]
    fn only_the_first_requests_count() {
        let trial = Trial::default();
        assert!((0..REQUESTS).all(|_| trial.begin()));
        assert!(!trial.begin());
    }
}
