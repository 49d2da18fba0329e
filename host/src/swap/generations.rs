//! The generations: the guest that serves, the one before it, and going from one to the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::sync::OwnedMutexGuard;
use tracing::{info, warn};

use super::check::{self, SwapError};
use super::deployment::{Deployment, Failover, Transition};
use super::generation::{Generation, InFlightRequest};
use super::probation::Probation;
use super::report::{Refusal, Report};
use super::response::{Served, ServedBody};
use crate::sandbox::{CallError, Candidate, Invoker, LoadError, Party, Phase, Priority, ResponseBody};

/// The guest that serves, and how it came to that. Clones are the same.
#[derive(Clone)]
pub struct Generations {
    shared: Arc<Shared>,
}

struct Shared {
    invoker: Arc<Invoker>,
    /// How long responses of a generation may go on after it was replaced.
    drain: Duration,
    /// Held while a candidate is checked, so that they serve in the order in which they were offered, and no more
    /// than one is compiled at a time: also by a compiler that nobody waits for any more.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Locked to look at it or to change it, and for nothing else.
    deployment: Mutex<Deployment>,
}

/// There is no guest to go back to: the current one is the first, or the one before it was taken back.
#[derive(Debug, thiserror::Error)]
#[error("there is no guest before this one to go back to")]
pub struct NothingBefore;

impl Generations {
    /// Begin to serve by this candidate, which is checked as all are. `drain` is how long responses of a
    /// generation may go on after it was replaced.
    pub async fn start(invoker: Invoker, candidate: Candidate, drain: Duration) -> Result<Self, SwapError> {
        const FIRST: u64 = 1;
        let invoker = Arc::new(invoker);
        let turn = Arc::<tokio::sync::Mutex<()>>::default();
        let (_turn, guest) =
            check::compile(invoker.clone(), candidate, Priority::Normal, turn.clone().lock_owned().await).await?;
        check::try_out(&invoker, &guest, FIRST).await?;
        let digest = guest.digest.clone();
        let current = Generation::begin(FIRST, guest, digest, false);
        log_beginning(&current);
        let deployment = Mutex::new(Deployment::begin(current));
        Ok(Self { shared: Arc::new(Shared { invoker, drain, turn, deployment }) })
    }

    /// Have one request answered by the current guest.
    ///
    /// Returns when the guest has begun its answer. The body of the response runs it on; see [`Served`].
    /// `label` names the request in the log.
    pub async fn answer<B>(&self, request: Request<B>, label: &str) -> Result<Response<Served>, CallError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let generation = self.current();
        let visit = InFlightRequest::begin(generation.clone());
        let Generation { guest, lifecycle, idle_instances, .. } = &*generation;
        match self.shared.invoker.handle(guest, lifecycle.clone(), idle_instances, request).await {
            Ok(response) => {
                if !response.status().is_server_error() {
                    visit.succeeded();
                }
                let (head, body) = response.into_parts();
                let body = match body {
                    ResponseBody::Guest(body) => {
                        let label = label.to_owned();
                        Served::Own(Box::new(ServedBody::new(body, &head.headers, visit, self.clone(), label)))
                    }
                    ResponseBody::Channel(viewer) => Served::Shared(viewer),
                };
                Ok(Response::from_parts(head, body))
            }
            Err(error) => {
                self.note_failure(&visit, &error);
                Err(error)
            }
        }
    }

    /// Check a candidate and, if it passes, serve by it from then on; nothing changes if it is what serves already.
    /// Waits for those offered before it.
    ///
    /// Where it does not pass, the current guest goes on; the log says so. Dropping the future before it is done
    /// leaves everything as it was.
    pub async fn offer(&self, candidate: Result<Candidate, LoadError>) -> Result<(), SwapError> {
        let turn = self.shared.turn.clone().lock_owned().await;
        let result = match candidate {
            Ok(candidate) => self.check_and_install(candidate, turn).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &result {
            let number = {
                let mut deployment = self.deployment();
                deployment.refused = Some(Refusal::now(error.to_string()));
                deployment.current.lifecycle.number
            };
            warn!("not replaced, generation {number} goes on: {error}");
        }
        result
    }

    async fn check_and_install(&self, candidate: Candidate, turn: OwnedMutexGuard<()>) -> Result<(), SwapError> {
        let current = self.current();
        if candidate.digest == current.guest.digest {
            log_unchanged(&current);
            return Ok(());
        }
        drop(current);
        let invoker = self.shared.invoker.clone();
        let (_turn, guest) = check::compile(invoker, candidate, Priority::Background, turn).await?;
        check::try_out(&self.shared.invoker, &guest, self.current().lifecycle.number + 1).await?;
        let mut deployment = self.deployment();
        // Somebody may have gone back to it meanwhile.
        if guest.digest == deployment.current.guest.digest {
            let current = deployment.current.clone();
            drop(deployment);
            log_unchanged(&current);
            return Ok(());
        }
        let digest = guest.digest.clone();
        let succession = deployment.replace(guest, digest);
        drop(deployment);
        self.settle(succession);
        Ok(())
    }

    /// Go back to the guest before the current one, at once: it is still compiled. A guest that never answered a request
    /// successfully is passed over if there is one that has. Going back again then returns to where one was. Must be
    /// called inside a Tokio runtime.
    pub fn roll_back(&self) -> Result<(), NothingBefore> {
        let succession = self.deployment().roll_back().ok_or(NothingBefore)?;
        info!("going back from generation {}{}", succession.before.lifecycle.number, back_to(&succession));
        self.settle(succession);
        Ok(())
    }

    /// End all responses under way as at the drain limit, because the server is shutting down.
    pub fn shut_down(&self) {
        let (current, draining) = {
            let deployment = self.deployment();
            (deployment.current.clone(), deployment.draining())
        };
        draining.iter().chain([&current]).for_each(|generation| generation.enter(Phase::Ended));
    }

    /// The generation that answers requests.
    pub(super) fn current(&self) -> Arc<Generation> {
        self.deployment().current.clone()
    }

    /// What calls guests.
    pub(super) fn invoker(&self) -> &Invoker {
        &self.shared.invoker
    }

    /// Everything at this moment.
    pub fn report(&self) -> Report {
        let (current, previous, draining, refused) = {
            let deployment = self.deployment();
            (
                deployment.current.clone(),
                deployment.fallbacks.previous().cloned(),
                deployment.draining(),
                deployment.refused.clone(),
            )
        };
        Report::new(&current, previous.as_ref(), &draining, refused)
    }

    /// Tell a generation that it was replaced, and later that it has ended.
    fn settle(&self, succession: Transition) {
        let Transition { before, begun, .. } = succession;
        log_beginning(&begun);
        before.enter(Phase::Replaced);
        // Its responses alone keep it from here on: without any, there is nothing left to end.
        let ending = Arc::downgrade(&before);
        let drain = self.shared.drain;
        tokio::spawn(async move {
            tokio::time::sleep(drain).await;
            if let Some(generation) = ending.upgrade() {
                let under_way = generation.under_way();
                info!(generation = generation.lifecycle.number, "its last {under_way} responses are ended");
                generation.enter(Phase::Ended);
            }
        });
    }

    /// A request got no answer from the guest, or no whole one. Where the guest has failed on one too many of its
    /// first, the last that did not fail serves again.
    pub(super) fn note_failure(&self, visit: &InFlightRequest, error: &CallError) {
        if error.caused_by() != Party::Guest {
            visit.says_nothing();
            return;
        }
        if !visit.failed() {
            return;
        }
        let generation = visit.generation();
        let number = generation.lifecycle.number;
        let verdict = format!("{} {}, at last: {error}", generation.guest.origin, Probation::verdict());
        let mut deployment = self.deployment();
        let failover = deployment.fail_over(number, &generation.lifecycle.digest);
        if matches!(failover, Failover::To(_)) {
            deployment.refused = Some(Refusal::now(verdict.clone()));
        }
        drop(deployment);
        match failover {
            Failover::NotCurrent => {}
            Failover::Nowhere => warn!(generation = number, "{verdict}. There is no guest before it to go back to"),
            Failover::To(succession) => {
                warn!(generation = number, "{verdict}. Going back{}", back_to(&succession));
                self.settle(succession);
            }
        }
    }

    fn deployment(&self) -> MutexGuard<'_, Deployment> {
        // Nothing that is done under the lock can leave it half done.
        self.shared.deployment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a rollback leads, for the log.
fn back_to(succession: &Transition) -> String {
    succession.back_to.map(|number| format!(" to the guest of generation {number}")).unwrap_or_default()
}

fn log_unchanged(current: &Generation) {
    info!("not replaced, generation {} is of the same component", current.lifecycle.number);
}

fn log_beginning(generation: &Generation) {
    let Generation { guest, lifecycle, .. } = generation;
    info!(generation = lifecycle.number, "{}, sha256 {}", guest.origin, guest.digest);
}
