//! What a shared instance and its requests know of each other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use http::{Request, Response};
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiBody;

use super::pipe::Output;
use crate::channels::Subscription;
use crate::sandbox::call::error::CallError;
use crate::sandbox::call::idle_instances::MAX_REQUESTS;

/// The most requests that an instance answers at the same time. With more, a trap would end too many responses; with
/// fewer, viewers of unshared streams would need more instances.
pub(super) const MAX_LIVE_REQUESTS: usize = 16;

/// A request for a shared instance.
pub(in crate::sandbox) type SharedRequest = Box<Request<WasiBody>>;

/// A request that an instance has been given.
pub(super) struct Job {
    pub(super) request: SharedRequest,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// What becomes of a request.
pub(super) enum Reply {
    /// The guest has started its response.
    Response(Response<Output>),
    /// The guest has joined channels, which write the body of its response.
    Channel(Response<Subscription>),
    /// The guest or its instance has failed.
    Failed(CallError),
    /// The instance has not started to handle the request and will not: another must.
    NotStarted(SharedRequest),
}

/// What an instance has to do next.
pub(super) enum Next {
    Job(Box<Job>),
    /// Nothing, but the responses of some requests are in progress.
    Serve,
    /// Nothing at all.
    Idle {
        /// Whether it will get no more requests.
        is_closed: bool,
    },
}

/// Passes requests to an instance, and the state of the instance to its requests.
#[derive(Default)]
pub(super) struct Mailbox(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    queue: VecDeque<Job>,
    /// Whether the instance accepts no more requests.
    is_closed: bool,
    /// Whether the instance has been created, so that it takes requests.
    is_running: bool,
    /// Whether the guest computes and was interrupted. It then gets no requests, because they would have to wait.
    is_computing: bool,
    /// Whether the guest waits in a function of WASI 0.2, which blocks the instance. It then gets no requests either.
    is_blocked: bool,
    /// Whether everything in the guest waits for something.
    is_waiting: bool,
    /// Whether the instance was woken and has not looked at its requests since.
    was_woken: bool,
    /// The number of requests in the instance whose responses have not ended.
    live: usize,
    /// The number of those whose responses have started.
    started: usize,
    /// The number of responses started so far.
    total_started: u32,
    /// The number of requests accepted so far.
    accepted: u32,
    /// How the instance failed.
    failure: Option<CallError>,
    /// Wakes the instance.
    instance: Option<Waker>,
    /// Wakes the task of the instance, even if the guest blocks it.
    task: Option<Waker>,
    /// Bodies that end as soon as the guest waits.
    bodies: Vec<Waker>,
}

impl Inner {
    /// Takes the waker of the instance, to wake it.
    fn take_instance(&mut self) -> Option<Waker> {
        self.was_woken = true;
        self.instance.take()
    }
}

impl Mailbox {
    /// Passes a request to the instance, if it has room.
    pub(super) fn admit(
        self: &Arc<Self>,
        request: SharedRequest,
    ) -> Result<(LiveRequest, oneshot::Receiver<Reply>), SharedRequest> {
        let mut inner = self.lock();
        if inner.is_closed || inner.is_computing || inner.is_blocked || inner.live >= MAX_LIVE_REQUESTS {
            return Err(request);
        }
        inner.live += 1;
        inner.accepted += 1;
        if inner.accepted >= MAX_REQUESTS {
            inner.is_closed = true;
        }
        let (reply, receiver) = oneshot::channel();
        inner.queue.push_back(Job { request, reply });
        // Under the lock, so that `end_run` does not see the request without this.
        inner.take_instance().into_iter().for_each(Waker::wake);
        drop(inner);
        Ok((LiveRequest { mailbox: self.clone(), is_answered: false, has_started: false }, receiver))
    }

    /// Whether the instance may still get requests.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Gives the instance no more requests. It ends after the responses in progress.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        inner.take_instance().into_iter().for_each(Waker::wake);
    }

    /// How the instance failed, if it did.
    pub(super) fn failure(&self) -> Option<CallError> {
        self.lock().failure.clone()
    }

    /// Whether everything in the guest waits for something, and `is_sent`. If not, wakes the task the next time that
    /// the guest waits.
    ///
    /// Both are checked under the lock: a write of the guest completes while it runs, and the run ends later.
    pub(super) fn is_waiting(&self, context: &Context<'_>, is_sent: impl FnOnce() -> bool) -> bool {
        let mut inner = self.lock();
        let is_waiting = inner.is_waiting && is_sent();
        if !is_waiting && !inner.bodies.iter().any(|waker| waker.will_wake(context.waker())) {
            inner.bodies.push(context.waker().clone());
        }
        is_waiting
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No panic can leave the data inconsistent, so a poisoned lock is safe to use.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For the task of the instance.
impl Mailbox {
    /// The instance has been created, and takes requests from now on.
    pub(super) fn start(&self) {
        self.lock().is_running = true;
    }

    /// Returns what to do next. Wakes the task when there is another request, or when a response ends.
    pub(super) fn next(&self, context: &Context<'_>) -> Next {
        let mut inner = self.lock();
        inner.is_blocked = false;
        // Even if there is a request: if that blocks the instance, only this shows that the next one would wait.
        inner.instance = Some(context.waker().clone());
        let job = inner.queue.pop_front();
        // If there are more requests, the instance has yet to look at them.
        inner.was_woken = !inner.queue.is_empty();
        if let Some(job) = job {
            return Next::Job(Box::new(job));
        }
        if inner.live > 0 { Next::Serve } else { Next::Idle { is_closed: inner.is_closed } }
    }

    /// Closes the mailbox if the instance has no request. Returns whether it has none.
    pub(super) fn close_if_idle(&self) -> bool {
        let mut inner = self.lock();
        let is_idle = inner.live == 0;
        inner.is_closed |= is_idle;
        is_idle
    }

    /// The guest runs.
    pub(super) fn begin_run(&self) {
        self.lock().is_waiting = false;
    }

    /// The guest no longer runs, because it waits, was made to yield, or computes and was interrupted. All are evaluated
    /// under the lock.
    pub(super) fn end_run(
        &self,
        is_waiting: impl FnOnce() -> bool,
        is_deferred: impl FnOnce() -> bool,
        is_computing: impl FnOnce() -> bool,
    ) {
        let mut inner = self.lock();
        inner.is_waiting = is_waiting();
        inner.is_computing = is_computing();
        // It has run since then, and waits again and again or for long, but has not looked at its requests.
        inner.is_blocked |= inner.is_running && (inner.is_waiting || is_deferred()) && inner.was_woken;
        let bodies = if inner.is_waiting { std::mem::take(&mut inner.bodies) } else { Vec::new() };
        // Other instances handle the requests that would have to wait.
        let must_wait = inner.is_blocked || inner.is_computing && inner.is_running;
        let jobs = if must_wait { std::mem::take(&mut inner.queue) } else { VecDeque::new() };
        drop(inner);
        bodies.into_iter().for_each(Waker::wake);
        jobs.into_iter().for_each(return_job);
    }

    /// The number of responses started so far.
    pub(super) fn total_started(&self) -> u32 {
        self.lock().total_started
    }

    /// Whether the compute limit applies. It does not while all clients wait for the start of their responses: the
    /// answer timeout is for them.
    pub(super) fn has_compute_limit(&self) -> bool {
        let inner = self.lock();
        inner.started > 0 || inner.live == 0
    }

    /// Whether the instance has no request. If it has, wakes the task when it has none.
    pub(super) fn is_unused(&self, context: &Context<'_>) -> bool {
        let mut inner = self.lock();
        inner.task = Some(context.waker().clone());
        inner.live == 0
    }

    /// Whether the guest waits in a function of WASI 0.2, which blocks the instance.
    pub(super) fn is_blocked(&self) -> bool {
        self.lock().is_blocked
    }

    /// Whether the instance is being created although its client has left. If not, wakes the task when it leaves.
    pub(super) fn is_abandoned(&self, context: &Context<'_>) -> bool {
        let mut inner = self.lock();
        if inner.is_running {
            return false;
        }
        inner.instance = Some(context.waker().clone());
        inner.live == 0
    }

    /// The instance has failed, and is dropped afterwards.
    pub(super) fn fail(&self, error: CallError) {
        let mut inner = self.lock();
        inner.is_closed = true;
        inner.failure.get_or_insert(error);
    }

    /// The instance was dropped. Returns the requests that it has not handled, or fails them if the guest cannot even
    /// be instantiated.
    pub(super) fn end(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        let jobs = std::mem::take(&mut inner.queue);
        let failure = if inner.is_running { None } else { inner.failure.clone() };
        let bodies = std::mem::take(&mut inner.bodies);
        drop(inner);
        bodies.into_iter().for_each(Waker::wake);
        for job in jobs {
            match &failure {
                // Fails if the client has gone.
                Some(error) => drop(job.reply.send(Reply::Failed(error.clone()))),
                None => return_job(job),
            }
        }
    }
}

fn return_job(job: Job) {
    // Fails if the client has gone.
    let _ = job.reply.send(Reply::NotStarted(job.request));
}

/// A request in an instance. Dropped when its response has ended.
///
/// If it is dropped before the guest has answered, the client has left or the guest has taken too long. The guest
/// cannot be told, so the instance then gets no more requests, and ends after its other responses.
pub(super) struct LiveRequest {
    mailbox: Arc<Mailbox>,
    is_answered: bool,
    has_started: bool,
}

impl LiveRequest {
    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// The instance has replied.
    pub(super) fn set_answered(&mut self) {
        self.is_answered = true;
    }

    /// The response has started.
    pub(super) fn start(&mut self) {
        self.has_started = true;
        let mut inner = self.mailbox.lock();
        inner.started += 1;
        inner.total_started += 1;
    }
}

impl Drop for LiveRequest {
    fn drop(&mut self) {
        let mut inner = self.mailbox.lock();
        inner.live = inner.live.saturating_sub(1);
        inner.started = inner.started.saturating_sub(usize::from(self.has_started));
        inner.is_closed |= !self.is_answered;
        if inner.live == 0 {
            // Under the lock, as in `Mailbox::admit`.
            inner.take_instance().into_iter().for_each(Waker::wake);
            inner.task.take().into_iter().for_each(Waker::wake);
        }
    }
}
