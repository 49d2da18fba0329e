//! A generation: the time in which one guest answers requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::watch;

use super::fallbacks::{Health, Retired};
use super::probation::Probation;
use crate::sandbox::{IdleInstances, Lifecycle, LoadedGuest, Phase};

/// The time in which one guest answers requests, and the responses that it began in it.
pub(super) struct Generation<G = LoadedGuest> {
    pub(super) guest: G,
    pub(super) lifecycle: Lifecycle,
    /// Instances of its guest that have answered, and may answer again.
    pub(super) idle_instances: Arc<IdleInstances>,
    phase: watch::Sender<Phase>,
    probation: Probation,
    /// Whether the guest has answered a client's request successfully, in this generation or in an earlier one.
    has_answered: AtomicBool,
    requests: AtomicU64,
    failures: AtomicU64,
    under_way: AtomicUsize,
}

impl<G> Generation<G> {
    /// The generation of this number begins.
    pub(super) fn begin(number: u64, guest: G, digest: Arc<str>, has_answered: bool) -> Arc<Self> {
        let (phase, lifecycle) = Lifecycle::begin(number, digest);
        Arc::new(Self {
            guest,
            lifecycle,
            idle_instances: Arc::default(),
            phase,
            probation: Probation::default(),
            has_answered: AtomicBool::new(has_answered),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
        })
    }

    /// Tell all who wait for it that the generation has come to this stage. Its spares end when it no longer serves.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
        // No new requests come.
        if phase > Phase::Serving {
            self.idle_instances.close();
        }
    }

    /// How well its guest has served so far.
    pub(super) fn health(&self) -> Health {
        if self.probation.has_failed() {
            Health::Failed
        } else if !self.has_answered.load(Ordering::Relaxed) {
            Health::Untested
        } else if self.probation.is_in_doubt() {
            Health::Degraded
        } else {
            Health::Healthy
        }
    }

    /// Its guest, as it can serve again later.
    pub(super) fn retire(&self) -> Retired<G>
    where
        G: Clone,
    {
        let Lifecycle { number, digest, .. } = &self.lifecycle;
        Retired { guest: self.guest.clone(), digest: digest.clone(), number: *number, health: self.health() }
    }

    /// How many requests it was given.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// On how many of them its guest failed.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// How many of its responses have not ended yet.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}

/// One request, from its beginning to the end of its response, counted by the generation that answers it.
pub(super) struct InFlightRequest<G = LoadedGuest> {
    generation: Arc<Generation<G>>,
    on_probation: bool,
}

impl<G> InFlightRequest<G> {
    pub(super) fn begin(generation: Arc<Generation<G>>) -> Self {
        generation.requests.fetch_add(1, Ordering::Relaxed);
        generation.under_way.fetch_add(1, Ordering::Relaxed);
        let on_probation = generation.probation.begin();
        Self { generation, on_probation }
    }

    pub(super) fn generation(&self) -> &Arc<Generation<G>> {
        &self.generation
    }

    /// The guest has begun a successful answer to this request.
    pub(super) fn succeeded(&self) {
        // Read first, since this is written once and read by every request.
        if !self.generation.has_answered.load(Ordering::Relaxed) {
            self.generation.has_answered.store(true, Ordering::Relaxed);
        }
    }

    /// What came of this request says nothing about the guest. Called once at most, and not with [`Self::failed`].
    pub(super) fn says_nothing(&self) {
        if self.on_probation {
            self.generation.probation.take_back();
        }
    }

    /// The guest failed on this request. Called once at most. Returns true when that ends its probation.
    pub(super) fn failed(&self) -> bool {
        self.generation.failures.fetch_add(1, Ordering::Relaxed);
        self.on_probation && self.generation.probation.fail()
    }
}

impl<G> Drop for InFlightRequest<G> {
    fn drop(&mut self) {
        self.generation.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
