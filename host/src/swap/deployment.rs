//! Which guest serves, which could, and which are on their way out: what is kept under the one lock.

use std::sync::{Arc, Weak};

use super::fallbacks::{Fallbacks, Retired};
use super::generation::Generation;
use super::report::Refusal;
use crate::sandbox::LoadedGuest;

/// The generations at one moment. `G` is what a generation serves by; tests have something simpler.
pub(super) struct Deployment<G = LoadedGuest> {
    pub(super) current: Arc<Generation<G>>,
    pub(super) fallbacks: Fallbacks<G>,
    /// Those that were replaced and may have responses under way.
    replaced: Vec<Weak<Generation<G>>>,
    /// The last that was not let serve, or was taken back.
    pub(super) refused: Option<Refusal>,
}

/// What is left to do when one generation has followed another, without the lock.
pub(super) struct Transition<G = LoadedGuest> {
    pub(super) before: Arc<Generation<G>>,
    pub(super) begun: Arc<Generation<G>>,
    /// The generation that the guest served as before, if this is a rollback.
    pub(super) back_to: Option<u64>,
    /// What was kept before. Dropping a guest gives its machine code back to the kernel, which takes a while.
    _fallbacks_before: Fallbacks<G>,
}

impl<G: Clone> Deployment<G> {
    /// The server has started.
    pub(super) fn begin(current: Arc<Generation<G>>) -> Self {
        Self { fallbacks: Fallbacks::new(current.retire()), current, replaced: Vec::new(), refused: None }
    }

    /// Let this guest serve in place of the current one.
    pub(super) fn replace(&mut self, guest: G, digest: Arc<str>) -> Transition<G> {
        let before = self.fallbacks.clone();
        self.fallbacks.replaced(self.current.retire(), &digest);
        let has_answered = self.fallbacks.has_answered(&digest);
        self.succeed(guest, digest, has_answered, None, before)
    }

    /// Go back to the guest before the current one, by hand. `None` if there is none.
    pub(super) fn roll_back(&mut self) -> Option<Transition<G>> {
        let before = self.fallbacks.clone();
        let target = self.fallbacks.roll_back(self.current.retire())?;
        Some(self.resume(target, before))
    }

    /// The guest of the generation with this number and digest has failed its probation. Goes back to another guest if it
    /// is the current one, and there is another.
    pub(super) fn fail_over(&mut self, number: u64, digest: &str) -> Failover<G> {
        let current = &self.current.lifecycle;
        if current.number != number {
            // Nobody may go back to it; but it may serve again already, and is judged anew then.
            if *current.digest != *digest {
                self.fallbacks.discard(digest, &current.digest);
            }
            return Failover::NotCurrent;
        }
        let before = self.fallbacks.clone();
        match self.fallbacks.fail_over(digest) {
            Some(target) => Failover::To(self.resume(target, before)),
            None => Failover::Nowhere,
        }
    }

    fn resume(&mut self, target: Retired<G>, fallbacks_before: Fallbacks<G>) -> Transition<G> {
        let has_answered = target.has_answered();
        self.succeed(target.guest, target.digest, has_answered, Some(target.number), fallbacks_before)
    }

    fn succeed(
        &mut self,
        guest: G,
        digest: Arc<str>,
        has_answered: bool,
        back_to: Option<u64>,
        fallbacks_before: Fallbacks<G>,
    ) -> Transition<G> {
        let begun = Generation::begin(self.current.lifecycle.number + 1, guest, digest, has_answered);
        let before = std::mem::replace(&mut self.current, begun.clone());
        self.replaced.retain(|generation| generation.strong_count() > 0);
        self.replaced.push(Arc::downgrade(&before));
        Transition { before, begun, back_to, _fallbacks_before: fallbacks_before }
    }

    /// Those that were replaced and have responses under way.
    pub(super) fn draining(&self) -> Vec<Arc<Generation<G>>> {
        let generations = self.replaced.iter().filter_map(Weak::upgrade);
        generations.filter(|generation| generation.under_way() > 0).collect()
    }
}

/// What became of a guest that failed its probation.
pub(super) enum Failover<G = LoadedGuest> {
    /// Another one had replaced it already.
    NotCurrent,
    /// Another one serves in its place.
    To(Transition<G>),
    /// There is no other, so it goes on.
    Nowhere,
}

#[cfg(test)]
mod tests;
