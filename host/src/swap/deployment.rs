//! The current deployment: the state of all generations behind a lock, and what happens when the current one changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{info, warn};

use super::check::SwapError;
use super::counts::Refusal;
use super::deployment_state::{DeploymentState, Failover, Transition};
use super::generation::{Generation, InFlightRequest};
use super::probation::Probation;
use super::report::Report;
use crate::logging::AUDIT_TARGET;
use crate::sandbox::{CallError, Grants, LoadedGuest, Party, Phase};

/// The number of the generation that the server starts with.
pub(super) const FIRST_GENERATION: u64 = 1;

/// Which guest is deployed. Logs every change, and ends replaced generations at the drain limit.
pub(super) struct Deployment {
    /// How long responses of a replaced generation may continue.
    drain_limit: Duration,
    /// Locked only to read or change the state.
    state: Mutex<DeploymentState>,
    /// How many calls to guests have failed since the server started, by the kind of the error.
    failures: Mutex<BTreeMap<&'static str, u64>>,
}

/// There is no component with this role to roll back to: the current one is the first, or the previous one failed its
/// probation.
#[derive(Debug, thiserror::Error)]
#[error("there is no earlier {0} to roll back to")]
pub struct NoRollbackTarget(pub(super) &'static str);

impl Deployment {
    /// Starts the first generation, with this guest.
    pub(super) fn start(guest: LoadedGuest, drain_limit: Duration) -> Self {
        let digest = guest.digest.clone();
        let current = Generation::start(FIRST_GENERATION, guest, digest, false);
        log_start(&current);
        Self { drain_limit, state: Mutex::new(DeploymentState::new(current)), failures: Mutex::default() }
    }

    /// The generation that answers requests.
    pub(super) fn current(&self) -> Arc<Generation> {
        self.state().current.clone()
    }

    /// Replaces the current guest, unless it is the same component. Must be called inside a Tokio runtime.
    pub(super) fn replace(&self, guest: LoadedGuest) {
        let mut state = self.state();
        if guest.digest == state.current.guest.digest {
            let current = state.current.clone();
            drop(state);
            log_unchanged(&current);
            return;
        }
        let digest = guest.digest.clone();
        let transition = state.replace(guest, digest);
        drop(state);
        self.complete(transition);
    }

    /// Rolls back to the previous guest. Must be called inside a Tokio runtime.
    pub(super) fn roll_back(&self) -> Result<(), NoRollbackTarget> {
        let transition = self.state().roll_back().ok_or(NoRollbackTarget("guest"))?;
        info!(target: AUDIT_TARGET, "rolling back from generation {}{}", transition.from.lifecycle.number, target(&transition));
        self.complete(transition);
        Ok(())
    }

    /// Records that a candidate was refused, for the log and the report.
    pub(super) fn record_refusal(&self, error: &SwapError) {
        let reason = error.to_string();
        let number = {
            let mut state = self.state();
            state.refusals.add(error.kind(), reason.clone());
            state.current.lifecycle.number
        };
        warn!(target: AUDIT_TARGET, "guest not replaced, generation {number} continues: {reason}");
    }

    /// Records that a request got no response from the guest, or an incomplete one. If the guest has now failed its
    /// probation, rolls back to the last guest that did not. Must be called inside a Tokio runtime.
    pub(super) fn record_failure(&self, request: &InFlightRequest, error: &CallError) {
        self.count_failure(error);
        if error.caused_by() != Party::Guest {
            request.exclude_from_probation();
            return;
        }
        if !request.record_failure() {
            return;
        }
        let generation = request.generation();
        let number = generation.lifecycle.number;
        let reason = format!("{} {} (last error: {error})", generation.guest.origin, Probation::failure_text());
        let mut state = self.state();
        let failover = state.fail_over(number, &generation.lifecycle.digest);
        if matches!(failover, Failover::To(_)) {
            state.refusals.last = Some(Refusal::now(reason.clone()));
        }
        drop(state);
        match failover {
            Failover::NotCurrent => {}
            Failover::NoTarget => warn!(generation = number, "{reason}; there is no earlier guest to roll back to"),
            Failover::To(transition) => {
                warn!(target: AUDIT_TARGET, generation = number, "{reason}; rolling back{}", target(&transition));
                self.complete(transition);
            }
        }
    }

    /// Counts a call to a guest that has failed.
    pub(super) fn count_failure(&self, error: &CallError) {
        *self.failures().entry(error.kind()).or_default() += 1;
    }

    /// Whether guests are writing responses.
    pub(super) fn has_responses(&self) -> bool {
        let state = self.state();
        state.current.in_flight() > 0 || !state.draining().is_empty()
    }

    /// Ends all responses as at the drain limit, because the server is shutting down.
    pub(super) fn shut_down(&self) {
        let (current, draining) = {
            let state = self.state();
            (state.current.clone(), state.draining())
        };
        draining.iter().chain([&current]).for_each(|generation| generation.enter(Phase::Ended));
    }

    /// The state of all generations at this moment, and these grants.
    pub(super) fn report(&self, grants: Grants) -> Report {
        let (current, previous, draining, refusals, counts) = {
            let state = self.state();
            let (previous, refusals) = (state.targets.previous().cloned(), state.refusals.clone());
            (state.current.clone(), previous, state.draining(), refusals, state.counts())
        };
        let counts = refusals.counted_in(counts);
        Report::new(&current, previous.as_ref(), &draining, refusals.last, counts, self.failures().clone(), grants)
    }

    /// Tells the old generation that it was replaced, and ends it at the drain limit.
    fn complete(&self, transition: Transition) {
        let Transition { from, to, .. } = transition;
        log_start(&to);
        from.enter(Phase::Replaced);
        // Weak: once its last response and its worker have ended, there is nothing left to end.
        let draining = Arc::downgrade(&from);
        let drain_limit = self.drain_limit;
        tokio::spawn(async move {
            tokio::time::sleep(drain_limit).await;
            if let Some(generation) = draining.upgrade() {
                let in_flight = generation.in_flight();
                // Without responses in flight, only its worker holds the generation.
                if in_flight > 0 {
                    let number = generation.lifecycle.number;
                    info!(generation = number, "drain limit reached, ending {in_flight} responses");
                }
                generation.enter(Phase::Ended);
            }
        });
    }

    fn failures(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        // No code that holds the lock can leave the map inconsistent.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, DeploymentState> {
        // No code that holds the lock can leave the state inconsistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a rollback leads, for the log.
fn target(transition: &Transition) -> String {
    transition.restores.map(|number| format!(" to the guest of generation {number}")).unwrap_or_default()
}

pub(super) fn log_unchanged(current: &Generation) {
    info!("guest not replaced, generation {} already runs this component", current.lifecycle.number);
}

fn log_start(generation: &Generation) {
    let Generation { guest, lifecycle, .. } = generation;
    info!(target: AUDIT_TARGET, generation = lifecycle.number, "serving {}, sha256 {}", guest.origin, guest.digest);
}
