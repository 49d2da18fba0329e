//! The guests that a rollback can return to.
//!
//! Passing the check proves little about a candidate: it has answered one request. A successful response to a client
//! proves a guest. So the last guest with a successful response remains a target until another guest has one, no matter
//! how many are uploaded in between.
//!
//! **Invariant.** Suppose a guest has answered successfully, and was past its probation or had no failures in it when
//! it was replaced. From then on, a guest that has answered successfully either serves or is one rollback away, unless
//! all such guests have since failed a probation.
//!
//! Automatic rollbacks terminate, because each one removes the failed guest from all targets.

use std::sync::Arc;

/// How well a guest has served so far, from worst to best.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Health {
    /// It failed its probation.
    Failed,
    /// It has not answered a request successfully yet.
    Unproven,
    /// It has answered successfully, but also failed on requests of a probation that is still running.
    Degraded,
    /// It has answered successfully, and there is no reason to doubt it.
    Healthy,
}

/// A guest that has served and stays compiled, so that it can serve again at once.
#[derive(Clone, Debug)]
pub(super) struct RollbackTarget<G> {
    pub(super) guest: G,
    /// The SHA-256 of its component.
    pub(super) digest: Arc<str>,
    /// The generation in which it served.
    pub(super) number: u64,
    pub(super) health: Health,
}

impl<G> RollbackTarget<G> {
    /// Whether it has answered successfully and not failed a probation.
    pub(super) fn has_answered(&self) -> bool {
        self.health > Health::Unproven
    }
}

/// The guests that can serve again. At most three, because each holds its machine code.
#[derive(Clone, Debug)]
pub(super) struct RollbackTargets<G> {
    /// The target of a manual rollback.
    previous: Option<RollbackTarget<G>>,
    /// The last guest that answered successfully. It can be the current guest.
    last_good: Option<RollbackTarget<G>>,
    /// The guest that the server was started with; `None` once it has failed a probation. The operator chose it, unlike
    /// the built-in guest, which may lack something the operator needs, such as a password.
    initial: Option<RollbackTarget<G>>,
}

impl<G: Clone> RollbackTargets<G> {
    /// The targets when the server has just started with this guest.
    pub(super) fn new(initial: RollbackTarget<G>) -> Self {
        Self { previous: None, last_good: None, initial: Some(initial) }
    }

    /// The target of a manual rollback.
    pub(super) fn previous(&self) -> Option<&RollbackTarget<G>> {
        self.previous.as_ref()
    }

    /// Whether a guest with this digest is known to have answered successfully.
    pub(super) fn has_answered(&self, digest: &str) -> bool {
        [&self.previous, &self.last_good, &self.initial]
            .into_iter()
            .flatten()
            .any(|target| *target.digest == *digest && target.has_answered())
    }

    /// Whether there is a guest other than the one with this digest.
    pub(super) fn has_other(&self, digest: &str) -> bool {
        [&self.previous, &self.last_good, &self.initial].into_iter().flatten().any(|target| *target.digest != *digest)
    }

    /// Records that a new guest, with the digest `incoming`, has replaced `outgoing`.
    pub(super) fn record_replacement(&mut self, outgoing: RollbackTarget<G>, incoming: &str) {
        self.remember(&outgoing);
        self.previous = Some(outgoing);
        self.choose_previous(incoming);
    }

    /// Returns the target of a manual rollback, and makes `outgoing` the target of the next one. Returns `None` if
    /// there is no target.
    pub(super) fn roll_back(&mut self, outgoing: RollbackTarget<G>) -> Option<RollbackTarget<G>> {
        let target = self.previous.take()?;
        self.remember(&outgoing);
        self.previous = Some(outgoing);
        Some(target)
    }

    /// Returns the guest to serve instead of the current one, which has failed its probation. Returns `None` if there
    /// is no other guest.
    pub(super) fn fail_over(&mut self, failed: &str) -> Option<RollbackTarget<G>> {
        self.discard(failed, failed);
        let target = self
            .last_good
            .take()
            .or_else(|| self.initial.clone())
            .or_else(|| self.previous.take().filter(|previous| previous.health > Health::Failed))?;
        self.choose_previous(&target.digest);
        Some(target)
    }

    /// Forgets a guest that has failed its probation, even after it was replaced. `current` is the guest that serves.
    pub(super) fn discard(&mut self, failed: &str, current: &str) {
        for slot in [&mut self.previous, &mut self.last_good, &mut self.initial] {
            slot.take_if(|target| *target.digest == *failed);
        }
        self.choose_previous(current);
    }

    /// Makes the healthiest guest other than `current` the target of a manual rollback. Of equally healthy ones, the
    /// latest.
    fn choose_previous(&mut self, current: &str) {
        let candidates = [self.initial.clone(), self.last_good.clone(), self.previous.take()].into_iter().flatten();
        let others = candidates.filter(|target| *target.digest != *current);
        // `max_by_key` returns the last of several maxima.
        self.previous = others.max_by_key(|target| target.health);
    }

    /// Remembers a guest if it has answered successfully.
    fn remember(&mut self, outgoing: &RollbackTarget<G>) {
        if let Some(initial) = self.initial.as_mut().filter(|initial| initial.digest == outgoing.digest) {
            initial.health = outgoing.health;
        }
        // A degraded guest is better than none, but does not replace another.
        let is_better = match outgoing.health {
            Health::Failed | Health::Unproven => false,
            Health::Degraded => self.last_good.is_none(),
            Health::Healthy => true,
        };
        if is_better {
            self.last_good = Some(outgoing.clone());
        }
    }
}
