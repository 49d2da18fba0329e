//! The task that runs a shared instance.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Sleep, sleep};
use wasmtime::Store;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::p3::bindings::{Service, ServicePre};

use super::call::answer;
use super::mailbox::{MAX_LIVE_REQUESTS, Mailbox, Next};
use crate::sandbox::call::error::CallError;
use crate::sandbox::call::idle_instances::{IDLE_TIMEOUT, MAX_IDLE_INSTANCES, MAX_IDLE_MEMORY};
use crate::sandbox::call::running_call::RunningCall;
use crate::sandbox::call::throttle::YieldLimit;
use crate::sandbox::limits::MAX_RESOURCES;
use crate::sandbox::state::GuestState;
use crate::sandbox::store::limit_resources;

/// The most resources (streams, headers, images, …) that a shared instance may hold. A request needs about ten, and the
/// instance has no more of them than [`MAX_LIVE_REQUESTS`].
const MAX_SHARED_RESOURCES: usize = MAX_RESOURCES / 4 * MAX_LIVE_REQUESTS;

/// How long the guest may work on after its last response, for example to write to the log. As long as an instance may
/// be idle.
const LAST_WORK_LIMIT: Duration = IDLE_TIMEOUT;

/// How long the guest may compute without waiting after its last response. Shorter than the compute limit, because the
/// instance does not count as one of the requests in progress any more: there could be any number of them.
const LAST_COMPUTE_LIMIT: Duration = Duration::from_millis(500);

/// How long after [`LAST_WORK_LIMIT`] the instance is ended from outside. The instance ends itself, unless a function
/// of WASI 0.2 that waits blocks it.
const BLOCKED_MARGIN: Duration = Duration::from_secs(1);

/// Starts a task that creates an instance and lets it handle the requests in `mailbox`.
///
/// The instance ends when it is idle for [`IDLE_TIMEOUT`], or as soon as it is idle if it may get no more requests or
/// if there is no room for it in `idle_room`. Must be called inside a Tokio runtime.
pub(super) fn spawn(
    mut store: Store<GuestState>,
    service: ServicePre<GuestState>,
    mailbox: Arc<Mailbox>,
    idle_room: IdleRoom,
) {
    limit_resources(&mut store, MAX_SHARED_RESOURCES);
    store.data_mut().max_live_requests = MAX_LIVE_REQUESTS as u32;
    let interruptions = store.data().interruptions.clone();
    let usage = store.data().limits.usage().clone();
    let running = run(store, service, mailbox.clone(), idle_room.clone());
    let call = RunningCall::new(Box::pin(running), interruptions, usage);
    tokio::spawn(drive(call, EndOnDrop(mailbox), idle_room));
}

/// Ends the mailbox even if the task panics.
struct EndOnDrop(Arc<Mailbox>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Runs the instance until it ends, and stops it if it computes for too long.
async fn drive(mut call: RunningCall<()>, mailbox: EndOnDrop, idle_room: IdleRoom) {
    let EndOnDrop(mailbox) = &mailbox;
    let mut started = 0;
    let mut end: Option<Pin<Box<Sleep>>> = None;
    let mut blocked: Option<OwnedSemaphorePermit> = None;
    let mut limit = YieldLimit::new();
    let stopped = poll_fn(|context| {
        mailbox.begin_run();
        // As soon as a response has started, the compute limit applies and not the answer timeout.
        let total_started = mailbox.total_started();
        if std::mem::replace(&mut started, total_started) != total_started {
            call.reset_busy_time();
        }
        if limit.poll(&mut call, context).is_ready() {
            return Poll::Ready(None);
        }
        mailbox.end_run(|| call.is_waiting(), || call.is_deferred(), || call.is_computing());
        if call.exceeds_compute_limit() && mailbox.has_compute_limit() {
            return Poll::Ready(Some(CallError::ComputeLimit));
        }
        if mailbox.is_abandoned(context) {
            return Poll::Ready(None);
        }
        if !mailbox.is_unused(context) {
            (end, blocked) = (None, None);
            return Poll::Pending;
        }
        // It does not count as one of the requests in progress any more either, and cannot end itself.
        if mailbox.is_blocked() && blocked.is_none() {
            blocked = idle_room.instances.clone().try_acquire_owned().ok();
            if (blocked.is_none() || mailbox.is_closed()) && mailbox.close_if_idle() {
                return Poll::Ready(None);
            }
        }
        if call.busy_time() > LAST_COMPUTE_LIMIT && mailbox.close_if_idle() {
            return Poll::Ready(Some(CallError::ComputeLimit));
        }
        let end = end.get_or_insert_with(|| Box::pin(sleep(LAST_WORK_LIMIT + BLOCKED_MARGIN)));
        if end.as_mut().poll(context).is_ready() && mailbox.close_if_idle() {
            return Poll::Ready(None);
        }
        Poll::Pending
    });
    if let Some(error) = stopped.await {
        mailbox.fail(error);
    }
    // Before the mailbox returns the requests that are left: the new instance may need the memory of this one.
    drop(call);
}

/// Creates the instance and lets it handle requests.
async fn run(
    mut store: Store<GuestState>,
    service: ServicePre<GuestState>,
    mailbox: Arc<Mailbox>,
    idle_room: IdleRoom,
) -> Result<(), CallError> {
    let result = match service.instantiate_async(&mut store).await {
        Ok(service) => {
            mailbox.start();
            let serve = async |accessor: &Accessor<GuestState>| serve(accessor, &service, &mailbox, &idle_room).await;
            store.run_concurrent(serve).await.flatten()
        }
        Err(error) => Err(error),
    };
    result.map_err(|error| {
        let error = CallError::from_wasmtime(&error);
        // Before the store is dropped, which aborts the responses in progress.
        mailbox.fail(error.clone());
        error
    })
}

/// Room for the instances of a generation that have no requests. The limits are those of idle instances.
#[derive(Clone)]
pub(super) struct IdleRoom {
    instances: Arc<Semaphore>,
    /// One permit for each MiB of linear memory.
    memory: Arc<Semaphore>,
}

impl Default for IdleRoom {
    fn default() -> Self {
        let [instances, memory] =
            [MAX_IDLE_INSTANCES as usize, MAX_IDLE_MEMORY >> 20].map(|permits| Arc::new(Semaphore::new(permits)));
        Self { instances, memory }
    }
}

/// An instance without requests.
struct Idle {
    end: Pin<Box<Sleep>>,
    _room: [OwnedSemaphorePermit; 2],
}

impl Idle {
    /// Fails if there is no room for an instance with this much linear memory, in bytes.
    fn begin(room: &IdleRoom, memory: usize) -> Result<Self, TryAcquireError> {
        let mebibytes = u32::try_from(memory.div_ceil(1 << 20)).unwrap_or(u32::MAX);
        let instance = room.instances.clone().try_acquire_owned()?;
        let memory = room.memory.clone().try_acquire_many_owned(mebibytes)?;
        Ok(Self { end: Box::pin(sleep(LAST_WORK_LIMIT)), _room: [instance, memory] })
    }
}

/// Handles requests until the instance is to end. Fails if the guest traps.
async fn serve(
    accessor: &Accessor<GuestState>,
    service: &Service,
    mailbox: &Mailbox,
    idle_room: &IdleRoom,
) -> wasmtime::Result<()> {
    let mut calls = FuturesUnordered::new();
    let mut idle: Option<Idle> = None;
    poll_fn(|context| {
        let mut is_given_request = false;
        loop {
            while let Poll::Ready(Some(result)) = calls.poll_next_unpin(context) {
                if let Err(error) = result {
                    return Poll::Ready(Err(error));
                }
            }
            // The guest runs between two polls. It has to show that it does not compute or block before it gets the
            // next request, which would wait for it. wasmtime polls again after each step of the guest.
            if std::mem::take(&mut is_given_request) {
                return Poll::Pending;
            }
            match mailbox.next(context) {
                Next::Job(job) => {
                    idle = None;
                    is_given_request = true;
                    calls.push(answer(accessor, service, *job));
                }
                Next::Serve => {
                    idle = None;
                    return Poll::Pending;
                }
                Next::Idle { is_closed } => {
                    let works = !calls.is_empty() || accessor.poll_no_interesting_tasks(context).is_pending();
                    if works || !is_closed {
                        if idle.is_none() {
                            let memory = accessor.with(|mut access| access.data_mut().memory_used());
                            idle = Idle::begin(idle_room, memory).ok();
                        }
                        if idle.as_mut().is_some_and(|idle| idle.end.as_mut().poll(context).is_pending()) {
                            return Poll::Pending;
                        }
                    }
                    if mailbox.close_if_idle() {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    })
    .await
}
