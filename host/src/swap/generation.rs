//! A generation: the time in which one guest answers requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::watch;

use super::trial::Trial;
use crate::guest::{Loaded, Spares, Stage, Term};

/// The time in which one guest answers requests, and the responses that it began in it.
pub(super) struct Generation {
    pub(super) guest: Loaded,
    pub(super) term: Term,
    /// Instances of its guest that have answered, and may answer again.
    pub(super) spares: Arc<Spares>,
    stage: watch::Sender<Stage>,
    /// None where the guest has served before, and is not judged again.
    trial: Option<Trial>,
    requests: AtomicU64,
    failures: AtomicU64,
    under_way: AtomicUsize,
}

impl Generation {
    /// The generation of this number begins.
    pub(super) fn begin(number: u64, guest: Loaded, on_trial: bool) -> Arc<Self> {
        let (stage, term) = Term::begin(number, guest.digest.clone());
        let trial = on_trial.then(Trial::default);
        Arc::new(Self {
            guest,
            term,
            spares: Arc::default(),
            stage,
            trial,
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
        })
    }

    /// Tell all who wait for it that the generation has come to this stage. Its spares end when it no longer serves.
    pub(super) fn enter(&self, stage: Stage) {
        self.stage.send_replace(stage);
        // No new requests come.
        if stage > Stage::Serving {
            self.spares.close();
        }
    }

    /// Whether its guest has given no reason to doubt it: its trial is over, or it has failed on nothing so far.
    pub(super) fn is_proven(&self) -> bool {
        self.trial.as_ref().is_none_or(Trial::has_been_passed)
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
pub(super) struct Visit {
    generation: Arc<Generation>,
    on_trial: bool,
}

impl Visit {
    pub(super) fn begin(generation: Arc<Generation>) -> Self {
        generation.requests.fetch_add(1, Ordering::Relaxed);
        generation.under_way.fetch_add(1, Ordering::Relaxed);
        let on_trial = generation.trial.as_ref().is_some_and(Trial::begin);
        Self { generation, on_trial }
    }

    pub(super) fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// What came of this request says nothing about the guest; called once at most, and not with [`Self::failed`].
    pub(super) fn says_nothing(&self) {
        if self.on_trial
            && let Some(trial) = &self.generation.trial
        {
            trial.take_back();
        }
    }

    /// The guest failed on this request; called once at most. Returns true when that ends its trial.
    pub(super) fn failed(&self) -> bool {
        self.generation.failures.fetch_add(1, Ordering::Relaxed);
        self.on_trial && self.generation.trial.as_ref().is_some_and(Trial::fail)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.generation.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
