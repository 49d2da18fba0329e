//! Which guests can serve again when the current one is no good.
//!
//! A candidate that passed its check has proved little: it was asked once. What proves a guest is a successful answer to a
//! client. So the last guest that has answered successfully is kept until another one has, however many are uploaded in
//! between.
//!
//! **Invariant.** Once some guest has answered successfully and left its probation behind or was not failing in it, then
//! at every later moment a guest that has answered successfully serves, or a single rollback leads to one; unless the
//! guests that had answered have all failed a later probation.
//!
//! Automatic rollbacks come to an end: each removes the guest that failed from everything that is kept here.

use std::sync::Arc;

/// How well a guest has served so far, from worst to best.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Health {
    /// It failed its probation.
    Failed,
    /// It has not answered any request successfully yet.
    Untested,
    /// It has answered successfully, but was failing some requests of a probation that is not over.
    Degraded,
    /// It has answered successfully, and there is no reason to doubt it.
    Healthy,
}

/// A guest that has served, kept compiled so that it can serve again at once.
#[derive(Clone, Debug)]
pub(super) struct Retired<G> {
    pub(super) guest: G,
    /// The SHA-256 of its component.
    pub(super) digest: Arc<str>,
    /// The generation that it served as.
    pub(super) number: u64,
    pub(super) health: Health,
}

impl<G> Retired<G> {
    /// Whether it has answered successfully, and has not failed a probation.
    pub(super) fn has_answered(&self) -> bool {
        self.health > Health::Untested
    }
}

/// The guests that can serve again. Never more than three, since each holds its machine code.
#[derive(Clone, Debug)]
pub(super) struct Fallbacks<G> {
    /// What a rollback by hand goes to.
    previous: Option<Retired<G>>,
    /// The last guest that has answered successfully. May be the current one.
    last_good: Option<Retired<G>>,
    /// The guest that the server was started with, and would be again. `None` if it has failed a probation. Unlike the
    /// built-in guest, which its operator may have replaced because it lacks something such as a password, it is a guest
    /// that the operator chose.
    initial: Option<Retired<G>>,
}

impl<G: Clone> Fallbacks<G> {
    /// The server has started with this guest.
    pub(super) fn new(initial: Retired<G>) -> Self {
        Self { previous: None, last_good: None, initial: Some(initial) }
    }

    /// What a rollback by hand goes to.
    pub(super) fn previous(&self) -> Option<&Retired<G>> {
        self.previous.as_ref()
    }

    /// Whether the guest with this digest is known to have answered successfully.
    pub(super) fn has_answered(&self, digest: &str) -> bool {
        [&self.previous, &self.last_good, &self.initial]
            .into_iter()
            .flatten()
            .any(|retired| *retired.digest == *digest && retired.has_answered())
    }

    /// A new guest has taken the place of `outgoing`.
    pub(super) fn replaced(&mut self, outgoing: Retired<G>, incoming: &str) {
        self.remember(&outgoing);
        self.previous = Some(outgoing);
        self.choose_previous(incoming);
    }

    /// Take the guest that a rollback by hand goes to, in the place of `outgoing`. A second rollback then returns to that.
    pub(super) fn roll_back(&mut self, outgoing: Retired<G>) -> Option<Retired<G>> {
        let target = self.previous.take()?;
        self.remember(&outgoing);
        self.previous = Some(outgoing);
        Some(target)
    }

    /// Take the guest that serves in the place of one that has failed its probation. `None` if there is no other.
    pub(super) fn fail_over(&mut self, failed: &str) -> Option<Retired<G>> {
        self.discard(failed, failed);
        let target = self
            .last_good
            .take()
            .or_else(|| self.initial.clone())
            .or_else(|| self.previous.take().filter(|previous| previous.health > Health::Failed))?;
        self.choose_previous(&target.digest);
        Some(target)
    }

    /// A guest has failed its probation, be it after it was replaced: it is no guest to go back to from `current`.
    pub(super) fn discard(&mut self, failed: &str, current: &str) {
        for slot in [&mut self.previous, &mut self.last_good, &mut self.initial] {
            slot.take_if(|retired| *retired.digest == *failed);
        }
        self.choose_previous(current);
    }

    /// Have a rollback by hand go from `current` to the healthiest other guest, and to the one before it if several are.
    fn choose_previous(&mut self, current: &str) {
        let candidates = [self.initial.clone(), self.last_good.clone(), self.previous.take()].into_iter().flatten();
        let others = candidates.filter(|retired| *retired.digest != *current);
        // Of several that are equal, this gives the last.
        self.previous = others.max_by_key(|retired| retired.health);
    }

    /// Remember a guest that has answered successfully.
    fn remember(&mut self, outgoing: &Retired<G>) {
        if let Some(initial) = self.initial.as_mut().filter(|initial| initial.digest == outgoing.digest) {
            initial.health = outgoing.health;
        }
        // One that is in doubt is better than none, and no better than another that was kept.
        let is_wanted = match outgoing.health {
            Health::Failed | Health::Untested => false,
            Health::Degraded => self.last_good.is_none(),
            Health::Healthy => true,
        };
        if is_wanted {
            self.last_good = Some(outgoing.clone());
        }
    }
}
