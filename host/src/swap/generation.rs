//! A generation: the period during which one guest answers requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::watch;

use super::probation::Probation;
use super::rollback_targets::{Health, RollbackTarget};
use crate::sandbox::{Instances, Lifecycle, LoadedGuest, Phase};

/// The period during which one guest answers requests, with counters of its requests. `G` is the guest; tests use a
/// number.
pub(super) struct Generation<G = LoadedGuest> {
    pub(super) guest: G,
    pub(super) lifecycle: Lifecycle,
    /// Instances of the guest that can answer another request.
    pub(super) instances: Instances,
    phase: watch::Sender<Phase>,
    probation: Probation,
    /// Whether the guest has answered a client's request successfully in an earlier generation.
    had_answered: bool,
    /// Whether it has done so in this generation.
    has_answered_now: AtomicBool,
    requests: AtomicU64,
    failures: AtomicU64,
    in_flight: AtomicUsize,
}

impl<G> Generation<G> {
    /// Starts the generation with this number. `had_answered` says whether the guest has answered a request successfully
    /// in an earlier generation.
    pub(super) fn start(number: u64, guest: G, digest: Arc<str>, had_answered: bool) -> Arc<Self> {
        let (phase, lifecycle) = Lifecycle::begin(number, digest);
        Arc::new(Self {
            guest,
            lifecycle,
            instances: Instances::default(),
            phase,
            probation: Probation::default(),
            had_answered,
            has_answered_now: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
        })
    }

    /// Enters a phase and wakes everything that waits for it. Once the generation no longer serves, its instances get
    /// no more requests.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
        if phase > Phase::Serving {
            self.instances.close();
        }
    }

    /// Whether the guest has answered a request successfully, in this generation or an earlier one.
    pub(super) fn has_answered(&self) -> bool {
        self.had_answered || self.has_answered_now()
    }

    /// Whether the guest has answered a request successfully in this generation.
    pub(super) fn has_answered_now(&self) -> bool {
        self.has_answered_now.load(Ordering::Relaxed)
    }

    /// How well the guest has served so far.
    pub(super) fn health(&self) -> Health {
        if self.probation.has_failed() {
            Health::Failed
        } else if !self.has_answered() {
            Health::Unproven
        } else if self.probation.is_in_doubt() {
            Health::Degraded
        } else {
            Health::Healthy
        }
    }

    /// The guest, as a target for a later rollback.
    pub(super) fn rollback_target(&self) -> RollbackTarget<G>
    where
        G: Clone,
    {
        let Lifecycle { number, digest, .. } = &self.lifecycle;
        RollbackTarget { guest: self.guest.clone(), digest: digest.clone(), number: *number, health: self.health() }
    }

    /// The number of requests received.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The number of requests on which the guest failed.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The number of requests whose responses have not ended.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// A request in flight, from its arrival to the end of its response. Its generation counts it.
pub(super) struct InFlightRequest<G = LoadedGuest> {
    generation: Arc<Generation<G>>,
    on_probation: bool,
}

impl<G> InFlightRequest<G> {
    pub(super) fn start(generation: Arc<Generation<G>>) -> Self {
        generation.requests.fetch_add(1, Ordering::Relaxed);
        generation.in_flight.fetch_add(1, Ordering::Relaxed);
        let on_probation = generation.probation.count_request();
        Self { generation, on_probation }
    }

    pub(super) fn generation(&self) -> &Arc<Generation<G>> {
        &self.generation
    }

    /// Records that the guest has started a successful response.
    pub(super) fn record_success(&self) {
        // Read first: the flag is written once and read by every request.
        if !self.generation.has_answered_now() {
            self.generation.has_answered_now.store(true, Ordering::Relaxed);
        }
    }

    /// Records that the guest failed. Call at most once. Returns `true` if the guest has now failed its probation.
    pub(super) fn record_failure(&self) -> bool {
        self.generation.failures.fetch_add(1, Ordering::Relaxed);
        self.on_probation && self.generation.probation.count_failure()
    }

    /// Takes the request off probation, because its failure is not the guest's fault. Call at most once, and never with
    /// [`record_failure`](Self::record_failure).
    pub(super) fn exclude_from_probation(&self) {
        if self.on_probation {
            self.generation.probation.uncount_request();
        }
    }
}

impl<G> Drop for InFlightRequest<G> {
    fn drop(&mut self) {
        self.generation.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
