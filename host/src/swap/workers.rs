//! Workers: one instance of each generation works without being asked, if the guest exports `worker`.
//!
//! A worker never affects how its guest is judged: a guest that serves well is not rolled back because its worker
//! fails.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use tokio::time::sleep;
use tracing::{info, warn};

use super::active_guest::ActiveGuest;
use super::generation::Generation;
use crate::process::supervisor::{Backoff, Restarts};
use crate::sandbox::Phase;

/// The most workers at once: that of the current generation, and that of the one before until the drain limit. With
/// every replacement, the older one ends.
pub const MAX_WORKERS: u32 = 2;

/// A worker with its restarts. Dropping it ends the instance.
type WorkerRun = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs the worker of the current generation, and of each that follows, until the future is dropped.
pub async fn run_workers(active_guest: ActiveGuest) {
    let mut previous: Option<WorkerRun> = None;
    loop {
        let generation = active_guest.current();
        let (number, replaced) = (generation.lifecycle.number, generation.lifecycle.clone().reaches(Phase::Replaced));
        let mut current: Option<WorkerRun> = Some(Box::pin(run_worker(active_guest.clone(), generation)));
        let mut replaced = Box::pin(replaced);
        loop {
            tokio::select! {
                () = run_to_end(&mut current) => current = None,
                () = run_to_end(&mut previous) => previous = None,
                () = &mut replaced => break,
            }
        }
        if active_guest.current().lifecycle.number == number {
            // The server shuts down, which ends the generation without another.
            drop((current, previous));
            return std::future::pending().await;
        }
        previous = current;
    }
}

/// Runs a worker to its end. Without one, never returns.
async fn run_to_end(run: &mut Option<WorkerRun>) {
    match run {
        Some(run) => run.await,
        None => std::future::pending().await,
    }
}

/// Runs the worker of a generation until it returns or the generation ends. Restarts it when it fails, unless the
/// generation was replaced.
async fn run_worker(active_guest: ActiveGuest, generation: Arc<Generation>) {
    let Generation { guest, lifecycle, .. } = &*generation;
    if !guest.has_worker() {
        return;
    }
    let number = lifecycle.number;
    let work = async {
        let mut restarts = Restarts::new(Backoff::DEFAULT);
        loop {
            let started = Instant::now();
            let Err(error) = active_guest.invoker().work(guest, lifecycle.clone()).await else {
                return info!(generation = number, "the worker has finished");
            };
            if *lifecycle.phase.borrow() > Phase::Serving {
                return warn!(generation = number, "the worker failed: {error}");
            }
            let delay = restarts.next_delay(started.elapsed());
            warn!(generation = number, "the worker failed, restarting in {} s: {error}", delay.as_secs_f64());
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
