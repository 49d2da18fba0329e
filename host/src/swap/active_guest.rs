//! The active guest: answers requests, and is replaced by candidates that pass their check.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::check::{self, SwapError};
use super::deployment::{Deployment, FIRST_GENERATION, NoRollbackTarget, log_unchanged};
use super::drain::{DrainableBody, ServedBody};
use super::generation::{Generation, InFlightRequest};
use super::report::Report;
use super::rollback_targets::Health;
use super::watch::Watched;
use crate::results::Results;
use crate::sandbox::{
    CallError, Candidate, Composition, Invoker, LoadError, Middleware, Priority, ResponseBody, UsageReport,
};

/// The guest that serves now. Clones share it, and all see a replacement at once.
#[derive(Clone)]
pub struct ActiveGuest {
    invoker: Arc<Invoker>,
    deployment: Arc<Deployment>,
    /// Put in front of every candidate.
    middleware: Middleware,
    /// Held while a candidate is compiled and checked, so that candidates serve in the order in which they were
    /// offered, and only one is compiled at a time. An abandoned compiler process holds it until it ends.
    replacement_lock: Arc<Mutex<()>>,
}

impl ActiveGuest {
    /// Puts the middleware in front of the first candidate, checks them, and starts serving them. `drain_limit` is how
    /// long the responses of a replaced guest may continue.
    pub async fn start(
        invoker: Invoker,
        candidate: Candidate,
        middleware: Middleware,
        drain_limit: Duration,
    ) -> Result<Self, SwapError> {
        let invoker = Arc::new(invoker);
        let replacement_lock = Arc::<Mutex<()>>::default();
        let lock = replacement_lock.clone().lock_owned().await;
        let (lock, candidate) =
            check::wrap(invoker.clone(), middleware.clone(), None, candidate, Priority::Normal, lock).await?;
        let (_lock, guest) = check::compile(invoker.clone(), candidate, Priority::Normal, lock).await?;
        check::send_test_request(&invoker, &guest, FIRST_GENERATION).await?;
        let deployment = Arc::new(Deployment::start(guest, drain_limit));
        Ok(Self { invoker, deployment, middleware, replacement_lock })
    }

    /// Lets the current guest answer a request.
    ///
    /// Returns when the guest has started its response. Reading the body then drives the guest, see [`ServedBody`].
    /// `label` names the request in the log.
    pub async fn handle<B>(&self, request: Request<B>, label: &str) -> Result<Response<ServedBody>, CallError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let generation = self.current();
        let in_flight = InFlightRequest::start(generation.clone());
        let Generation { guest, lifecycle, instances, .. } = &*generation;
        match self.invoker.handle(guest, lifecycle.clone(), instances, request).await {
            Ok(response) => {
                if !response.status().is_server_error() {
                    in_flight.record_success();
                }
                let (head, body) = response.into_parts();
                let body = match body {
                    ResponseBody::Guest(body) => {
                        let (deployment, label) = (self.deployment.clone(), label.to_owned());
                        let body = DrainableBody::new(body, &head.headers, in_flight, deployment, label);
                        ServedBody::Guest(Box::new(body))
                    }
                    ResponseBody::Channel(joined) => ServedBody::Channel(joined),
                };
                Ok(Response::from_parts(head, body))
            }
            Err(error) => {
                self.record_failure(&in_flight, &error);
                Err(error)
            }
        }
    }

    /// Puts the middleware of the current guest in front of a candidate, checks them and, if they pass, replaces the
    /// current guest. Does nothing if nothing has changed. Waits for candidates that were offered earlier.
    ///
    /// If the candidate fails, the current guest continues, and the log has the reason. Dropping the future early
    /// changes nothing. Must be called inside a Tokio runtime.
    pub async fn replace(&self, candidate: Result<Candidate, LoadError>) -> Result<(), SwapError> {
        let lock = self.replacement_lock.clone().lock_owned().await;
        self.check_and_replace(candidate, self.composition(), lock).await
    }

    /// Like [`replace`](Self::replace), but reads the files of the middleware again.
    pub async fn reload(&self, candidate: Result<Candidate, LoadError>) -> Result<(), SwapError> {
        let lock = self.replacement_lock.clone().lock_owned().await;
        self.check_and_replace(candidate, None, lock).await
    }

    /// Like [`reload`](Self::reload), with the guest that serves now.
    pub async fn reload_middleware(&self) -> Result<(), SwapError> {
        let lock = self.replacement_lock.clone().lock_owned().await;
        match self.composition() {
            Some(composition) => self.check_and_replace(Ok(composition.guest.clone()), None, lock).await,
            None => Ok(()),
        }
    }

    /// The parts of the current guest, if there is middleware.
    pub fn composition(&self) -> Option<Arc<Composition>> {
        self.current().guest.composition.clone()
    }

    async fn check_and_replace(
        &self,
        candidate: Result<Candidate, LoadError>,
        kept: Option<Arc<Composition>>,
        lock: OwnedMutexGuard<()>,
    ) -> Result<(), SwapError> {
        let result = match candidate {
            Ok(candidate) => self.try_replace(candidate, kept, lock).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &result {
            self.deployment.record_refusal(error);
        }
        result
    }

    async fn try_replace(
        &self,
        candidate: Candidate,
        kept: Option<Arc<Composition>>,
        lock: OwnedMutexGuard<()>,
    ) -> Result<(), SwapError> {
        let (invoker, middleware) = (self.invoker.clone(), self.middleware.clone());
        let priority = self.compiler_priority();
        let (lock, candidate) = check::wrap(invoker, middleware, kept, candidate, priority, lock).await?;
        let current = self.current();
        if candidate.digest == current.guest.digest {
            log_unchanged(&current);
            return Ok(());
        }
        drop(current);
        // Viewers may have come meanwhile.
        let priority = self.compiler_priority();
        let (_lock, guest) = check::compile(self.invoker.clone(), candidate, priority, lock).await?;
        check::send_test_request(&self.invoker, &guest, self.current().lifecycle.number + 1).await?;
        // A rollback may have restored the same guest meanwhile; then this does nothing.
        self.deployment.replace(guest);
        Ok(())
    }

    /// The priority of the compiler: all processors may compile while there are no streams, with or without channels.
    fn compiler_priority(&self) -> Priority {
        let is_watched = self.invoker.has_viewers() || self.deployment.has_responses();
        if is_watched { Priority::Background } else { Priority::Unwatched }
    }

    /// Rolls back to the previous guest at once, since it is still compiled. Skips a guest that has never answered
    /// successfully if there is one that has. A second rollback undoes the first. Must be called inside a Tokio
    /// runtime.
    pub fn roll_back(&self) -> Result<(), NoRollbackTarget> {
        self.deployment.roll_back()
    }

    /// Ends all responses as at the drain limit, because the server is shutting down.
    pub fn shut_down(&self) {
        self.deployment.shut_down();
    }

    /// The state of all generations at this moment, and what guests may use.
    pub fn report(&self) -> Report {
        self.deployment.report(self.invoker.grants().clone())
    }

    /// Whether the current guest may answer requests: it has not failed its probation. It then still gets them if there
    /// is no other guest.
    pub fn is_healthy(&self) -> bool {
        self.current().health() != Health::Failed
    }

    /// What guests have found in frames.
    pub fn results(&self) -> &Results {
        self.invoker.results()
    }

    /// What the instances of all components use, for each of their roles.
    pub fn usage(&self) -> [UsageReport; 3] {
        self.invoker.sandbox().usage()
    }

    /// Whether the component with this digest is the current guest, or a part of it.
    fn contains(&self, digest: &str) -> bool {
        self.current().guest.contains(digest)
    }

    /// The generation that answers requests.
    pub(super) fn current(&self) -> Arc<Generation> {
        self.deployment.current()
    }

    /// Whether a generation that no longer serves has no successor: the server shuts down.
    pub(super) fn is_last(&self, generation: u64) -> bool {
        self.current().lifecycle.number == generation
    }

    /// Counts a call to a guest that has failed, without effect on its probation.
    pub(super) fn count_failure(&self, error: &CallError) {
        self.deployment.count_failure(error);
    }

    pub(super) fn invoker(&self) -> &Invoker {
        &self.invoker
    }

    /// See [`Deployment::record_failure`].
    pub(super) fn record_failure(&self, request: &InFlightRequest, error: &CallError) {
        self.deployment.record_failure(request, error);
    }
}

/// The file of the guest, as it is watched.
pub struct GuestFile(pub ActiveGuest);

impl Watched for GuestFile {
    fn read(&self, file: &Path) -> Result<Candidate, LoadError> {
        Candidate::read(Some(file))
    }

    fn runs(&self, digest: &str) -> bool {
        self.0.contains(digest)
    }

    async fn offer(&self, candidate: Result<Candidate, LoadError>) -> Result<(), SwapError> {
        self.0.replace(candidate).await
    }
}

/// A file of middleware, as it is watched. When it changes, the guest that serves at the time stays behind it.
pub struct MiddlewareFile(pub ActiveGuest);

impl Watched for MiddlewareFile {
    fn read(&self, file: &Path) -> Result<Candidate, LoadError> {
        Candidate::read(Some(file))
    }

    fn runs(&self, digest: &str) -> bool {
        self.0.contains(digest)
    }

    async fn offer(&self, _: Result<Candidate, LoadError>) -> Result<(), SwapError> {
        self.0.reload_middleware().await
    }
}
