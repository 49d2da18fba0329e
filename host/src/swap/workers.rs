//! Workers: one instance of each generation works without being asked, if the guest exports `worker`. Each middleware
//! that exports it has an instance of its own.
//!
//! A worker never affects how its guest is judged: a guest that serves well is not rolled back because its worker
//! fails.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use tokio::time::sleep;
use tracing::{info, warn};

use super::active_guest::ActiveGuest;
use super::generation::Generation;
use crate::process::supervisor::{Backoff, Restarts};
use crate::sandbox::{LoadedGuest, Phase, WorkEnd, WorkerExport};

/// The most workers of a guest or of one middleware at once: that of the current generation, and that of the one before
/// until the drain limit. With every replacement, the older one ends.
pub const MAX_WORKERS: u32 = 2;

/// The workers of a generation with their restarts. Dropping it ends the instances.
type WorkerRun = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs the workers of the current generation, and of each that follows, until the future is dropped.
pub async fn run_workers(active_guest: ActiveGuest) {
    let mut previous: Option<WorkerRun> = None;
    loop {
        let generation = active_guest.current();
        let (number, replaced) = (generation.lifecycle.number, generation.lifecycle.clone().reaches(Phase::Replaced));
        let mut current: Option<WorkerRun> = Some(Box::pin(run_all(active_guest.clone(), generation)));
        let mut replaced = Box::pin(replaced);
        loop {
            tokio::select! {
                () = run_to_end(&mut current) => current = None,
                () = run_to_end(&mut previous) => previous = None,
                () = &mut replaced => break,
            }
        }
        if active_guest.is_last(number) {
            drop((current, previous));
            return std::future::pending().await;
        }
        previous = current;
    }
}

/// Runs workers to their end. Without any, never returns.
async fn run_to_end(run: &mut Option<WorkerRun>) {
    match run {
        Some(run) => run.await,
        None => std::future::pending().await,
    }
}

/// Runs the workers of a generation until they return or the generation ends.
async fn run_all(active_guest: ActiveGuest, generation: Arc<Generation>) {
    let run = |worker: &WorkerExport| run_worker(&active_guest, &generation, worker.clone());
    join_all(generation.guest.workers.iter().map(run)).await;
}

/// Runs a worker until it returns or its generation ends. Restarts it when it fails, or when a camera that it reads was
/// removed, unless the generation was replaced.
async fn run_worker(active_guest: &ActiveGuest, generation: &Generation, worker: WorkerExport) {
    let Generation { guest, lifecycle, .. } = generation;
    let number = lifecycle.number;
    let name = name(guest, &worker);
    let work = async {
        let mut restarts = Restarts::new(Backoff::DEFAULT);
        loop {
            let started = Instant::now();
            let error = match active_guest.invoker().work(guest, worker.clone(), lifecycle.clone()).await {
                Ok(WorkEnd::Returned) => return info!(generation = number, "{name} has finished"),
                // Only the worker knows which cameras it wants to read instead.
                Ok(WorkEnd::CameraRemoved) if *lifecycle.phase.borrow() == Phase::Serving => {
                    info!(generation = number, "{name} starts again: a camera that it reads was changed or removed");
                    continue;
                }
                Ok(WorkEnd::CameraRemoved) => return,
                Err(error) => error,
            };
            active_guest.count_failure(&error);
            if *lifecycle.phase.borrow() > Phase::Serving {
                return warn!(generation = number, "{name} failed: {error}");
            }
            let delay = restarts.next_delay(started.elapsed());
            warn!(generation = number, "{name} failed, restarting in {} s: {error}", delay.as_secs_f64());
            tokio::select! {
                () = sleep(delay) => {}
                () = lifecycle.clone().reaches(Phase::Replaced) => return,
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = lifecycle.clone().reaches(Phase::Ended) => {}
    }
}

/// What the log calls a worker.
fn name(guest: &LoadedGuest, worker: &WorkerExport) -> String {
    let composition = guest.composition.as_ref();
    match worker.middleware.and_then(|index| composition?.middleware.get(index)) {
        Some(file) => format!("the worker of {}", file.path.display()),
        None => "the worker".to_owned(),
    }
}
