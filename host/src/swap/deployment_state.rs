//! Which guest is current, which guests can return, and which generations drain. No locks, tasks or log lines: those
//! are in [`super::deployment`].

use std::sync::{Arc, Weak};

use super::counts::{Refusals, SwapCounts};
use super::generation::Generation;
use super::rollback_targets::{RollbackTarget, RollbackTargets};
use crate::sandbox::LoadedGuest;

/// The state of all generations. `G` is the guest; tests use a number.
pub(super) struct DeploymentState<G = LoadedGuest> {
    pub(super) current: Arc<Generation<G>>,
    pub(super) targets: RollbackTargets<G>,
    /// Replaced generations, which may have responses in flight.
    replaced: Vec<Weak<Generation<G>>>,
    pub(super) refusals: Refusals,
    counts: SwapCounts,
}

/// A change from one generation to the next. The caller completes it without the lock.
pub(super) struct Transition<G = LoadedGuest> {
    pub(super) from: Arc<Generation<G>>,
    pub(super) to: Arc<Generation<G>>,
    /// In a rollback, the generation in which the guest served before.
    pub(super) restores: Option<u64>,
    /// The targets before the change, some of which it may have dropped. Dropping a guest unmaps its machine code,
    /// which is slow, so it happens without the lock.
    _old_targets: RollbackTargets<G>,
}

/// The outcome of a failed probation.
pub(super) enum Failover<G = LoadedGuest> {
    /// The guest had already been replaced.
    NotCurrent,
    /// Another guest serves instead.
    To(Transition<G>),
    /// There is no other guest, so the failed one continues.
    NoTarget,
}

impl<G: Clone> DeploymentState<G> {
    /// The state when the server has just started.
    pub(super) fn new(current: Arc<Generation<G>>) -> Self {
        let targets = RollbackTargets::new(current.rollback_target());
        Self { current, targets, replaced: Vec::new(), refusals: Refusals::default(), counts: SwapCounts::default() }
    }

    /// Replaces the current guest.
    pub(super) fn replace(&mut self, guest: G, digest: Arc<str>) -> Transition<G> {
        self.counts.replaced += 1;
        let old_targets = self.targets.clone();
        self.targets.record_replacement(self.current.rollback_target(), &digest);
        let has_answered = self.targets.has_answered(&digest);
        self.start_generation(guest, digest, has_answered, None, old_targets)
    }

    /// Rolls back to the previous guest, on the operator's request. Returns `None` if there is none.
    pub(super) fn roll_back(&mut self) -> Option<Transition<G>> {
        let old_targets = self.targets.clone();
        let target = self.targets.roll_back(self.current.rollback_target())?;
        self.counts.rolled_back += 1;
        Some(self.restore(target, old_targets))
    }

    /// Handles the failed probation of the generation with this number and digest: if it is current, rolls back to
    /// another guest, if there is one.
    pub(super) fn fail_over(&mut self, number: u64, digest: &str) -> Failover<G> {
        let current = &self.current.lifecycle;
        if current.number != number {
            // No rollback may return to it. If it already serves again, its new probation decides.
            if *current.digest != *digest {
                self.targets.discard(digest, &current.digest);
            }
            return Failover::NotCurrent;
        }
        let old_targets = self.targets.clone();
        match self.targets.fail_over(digest) {
            Some(target) => {
                self.counts.failed_over += 1;
                Failover::To(self.restore(target, old_targets))
            }
            None => Failover::NoTarget,
        }
    }

    fn restore(&mut self, target: RollbackTarget<G>, old_targets: RollbackTargets<G>) -> Transition<G> {
        let has_answered = target.has_answered();
        self.start_generation(target.guest, target.digest, has_answered, Some(target.number), old_targets)
    }

    fn start_generation(
        &mut self,
        guest: G,
        digest: Arc<str>,
        has_answered: bool,
        restores: Option<u64>,
        old_targets: RollbackTargets<G>,
    ) -> Transition<G> {
        let to = Generation::start(self.current.lifecycle.number + 1, guest, digest, has_answered);
        let from = std::mem::replace(&mut self.current, to.clone());
        self.replaced.retain(|generation| generation.strong_count() > 0);
        self.replaced.push(Arc::downgrade(&from));
        Transition { from, to, restores, _old_targets: old_targets }
    }

    /// How often the guest was replaced and rolled back, without refusals.
    pub(super) fn counts(&self) -> SwapCounts {
        self.counts.clone()
    }

    /// The replaced generations that have responses in flight.
    pub(super) fn draining(&self) -> Vec<Arc<Generation<G>>> {
        let generations = self.replaced.iter().filter_map(Weak::upgrade);
        generations.filter(|generation| generation.in_flight() > 0).collect()
    }
}

#[cfg(test)]
mod tests;
