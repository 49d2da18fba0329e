//! Calls guests: creates or reuses an instance, passes it a request, and waits until it starts its response.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Version};
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::error::CallError;
use super::exclusive_body::ExclusiveBody;
use super::exports::WorkerExport;
use super::guest_body::GuestBody;
use super::idle_instances::{IdleInstance, IdleInstances};
use super::instances::Instances;
use super::request_body::{BodyMonitor, GUEST_BODY_LIMITS, RequestBody};
use super::response_body::ResponseBody;
use super::running_call::RunningCall;
use super::throttle::{Charges, YieldLimit, throttled};
use crate::camera::Cameras;
use crate::channels::{Channels, Publisher};
use crate::results::Results;
use crate::sandbox::engine::Sandbox;
use crate::sandbox::grants::Grants;
use crate::sandbox::lifecycle::Lifecycle;
use crate::sandbox::load::loader::{Handler, LoadedGuest};
use crate::sandbox::shared::call::authority;
use crate::sandbox::state::GuestState;
use crate::sandbox::store::{HostContext, new_store};
use crate::sandbox::wasmtime_error::one_line;

/// The shortest interval between checks of the answer timeout.
const MIN_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// How a worker has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WorkEnd {
    /// It returned.
    Returned,
    /// A camera that it reads was removed, perhaps because its options have changed.
    CameraRemoved,
}

/// Calls guests, with everything that their instances share.
pub struct Invoker {
    host: HostContext,
    answer_timeout: Duration,
}

impl Invoker {
    /// Creates an invoker for guests in this sandbox, with access to these cameras and channels, and to what `grants`
    /// has. `allow_control` says whether guests may read and set the controls of cameras. `answer_timeout` is how long a
    /// guest may take to start its response.
    pub fn new(
        sandbox: Arc<Sandbox>,
        cameras: Cameras,
        allow_control: bool,
        grants: Grants,
        channels: Channels,
        answer_timeout: Duration,
    ) -> Self {
        let results = Results::new(&cameras);
        let host = HostContext { sandbox, cameras, allow_control, grants, channels, results };
        Self { host, answer_timeout }
    }

    /// Whether any channel has viewers.
    pub fn has_viewers(&self) -> bool {
        self.host.channels.is_any_open()
    }

    /// The sandbox.
    pub fn sandbox(&self) -> &Sandbox {
        &self.host.sandbox
    }

    /// What guests have found in frames.
    pub fn results(&self) -> &Results {
        &self.host.results
    }

    /// What guests may use besides cameras.
    pub fn grants(&self) -> &Grants {
        &self.host.grants
    }

    /// Lets a new instance of `guest` publish a channel, as part of the generation of `lifecycle`.
    ///
    /// Returns when the guest has ended the stream or a camera that it reads was removed, or with an error if it failed.
    /// Dropping the future ends the instance.
    pub async fn publish(
        &self,
        guest: &LoadedGuest,
        lifecycle: Lifecycle,
        publisher: Publisher,
    ) -> Result<(), CallError> {
        let Some(export) = guest.publisher.clone() else { return Err(CallError::NoPublisher) };
        let store = new_store(&self.host, guest, lifecycle);
        let interruptions = store.data().interruptions.clone();
        let usage = store.data().limits.usage().clone();
        let camera_removed = store.data().camera_removed.clone();
        let call =
            async move { export.publish(store, publisher).await.map_err(|error| CallError::from_wasmtime(&error)) };
        let mut call = RunningCall::new(Box::pin(call), interruptions, usage);
        let mut limit = YieldLimit::new();
        std::future::poll_fn(|context| match limit.poll(&mut call, context) {
            // Whatever the guest has made of it: its viewers would see no more than the last picture.
            _ if camera_removed.load(Ordering::Relaxed) => Poll::Ready(Ok(())),
            Poll::Pending if call.exceeds_compute_limit() => Poll::Ready(Err(CallError::ComputeLimit)),
            polled => polled,
        })
        .await
    }

    /// Runs one of the workers of `guest` in a new instance, as part of the generation of `lifecycle`. Limits how much
    /// it computes to `WORKER_SHARE` (`throttle.rs`).
    ///
    /// Returns when the worker has returned or a camera that it reads was removed, or with an error if it failed. Dropping
    /// the future ends the instance.
    pub async fn work(
        &self,
        guest: &LoadedGuest,
        worker: WorkerExport,
        lifecycle: Lifecycle,
    ) -> Result<WorkEnd, CallError> {
        let store = new_store(&self.host, guest, lifecycle);
        let usage = store.data().limits.usage().clone();
        let camera_removed = store.data().camera_removed.clone();
        let mut work = pin!(throttled(usage.measure(worker.run(store)), Charges::default()));
        std::future::poll_fn(|context| match work.as_mut().poll(context) {
            // Whatever the worker has made of it.
            _ if camera_removed.load(Ordering::Relaxed) => Poll::Ready(Ok(WorkEnd::CameraRemoved)),
            Poll::Ready(Ok(())) => Poll::Ready(Ok(WorkEnd::Returned)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(CallError::from_wasmtime(&error))),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Lets `guest` handle a request, as part of the generation of `lifecycle`. Uses one of `instances`, which must be
    /// of the same guest and generation, or creates an instance.
    ///
    /// Returns when the guest has started its response. From then on, polling the response body runs the instance, and
    /// dropping the body ends it. If the guest joined a channel, the instance is no longer needed. If its call has
    /// returned after a complete response, the instance may be added to `instances`. Dropping the future ends the
    /// instance, too. Shared instances, in contrast, run by themselves; polling the body lets the guest write.
    ///
    /// If the client does not send the request body, the call ends with [`CallError::RequestBodyTimedOut`] or
    /// [`CallError::RequestBodyAborted`]. While the guest waits for the client, the answer timeout is paused.
    pub async fn handle<B>(
        &self,
        guest: &LoadedGuest,
        lifecycle: Lifecycle,
        instances: &Instances,
        mut request: Request<B>,
    ) -> Result<Response<ResponseBody>, CallError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        // `wasi:http` requires an authority, HTTP/1.0 does not.
        if request.version() <= Version::HTTP_10 && !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
        }
        let request = request.map(|body| RequestBody::new(body, GUEST_BODY_LIMITS));
        let response = match &guest.handler {
            Handler::Exclusive(proxy) => {
                self.handle_exclusively(guest, proxy, lifecycle, &instances.idle, request).await?
            }
            Handler::Shared(service) => {
                if authority(&request).is_none() {
                    return Err(CallError::InvalidRequest("it has no valid host".to_owned()));
                }
                let monitor = request.body().monitor();
                let request = Box::new(request.map(|body| body.boxed_unsync()));
                let new_store = || new_store(&self.host, guest, lifecycle.clone());
                let response = instances.shared.handle(service, new_store, request, &monitor);
                self.with_answer_timeout(response, &monitor).await?
            }
        };
        let status = response.status();
        if status.is_informational() { Err(CallError::InformationalStatus(status.as_u16())) } else { Ok(response) }
    }

    /// Lets an instance handle a request that handles no other at the same time.
    async fn handle_exclusively<B>(
        &self,
        guest: &LoadedGuest,
        handler: &ProxyPre<GuestState>,
        lifecycle: Lifecycle,
        idle_instances: &Arc<IdleInstances>,
        request: Request<RequestBody<B>>,
    ) -> Result<Response<ResponseBody>, CallError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let monitor = request.body().monitor();
        let invalid = |error: wasmtime::Error| CallError::InvalidRequest(one_line(&error));
        let (mut store, proxy, requests) = match idle_instances.take() {
            Some(IdleInstance { store, proxy, requests }) => (store, Some(proxy), requests),
            None => (new_store(&self.host, guest, lifecycle), None, 0),
        };
        // Not that of an earlier request.
        let camera_removed = Arc::new(AtomicBool::new(false));
        store.data_mut().camera_removed = camera_removed.clone();
        let (sender, receiver) = oneshot::channel();
        let scheme = match request.extensions().get::<http::uri::Scheme>() {
            Some(scheme) if *scheme == http::uri::Scheme::HTTPS => Scheme::Https,
            _ => Scheme::Http,
        };
        let request = store.data_mut().http().new_incoming_request(scheme, request).map_err(invalid)?;
        let outparam = store.data_mut().http().new_response_outparam(sender).map_err(invalid)?;
        let interruptions = store.data().interruptions.clone();
        let usage = store.data().limits.usage().clone();
        let subscription = store.data().subscription.clone();
        let handler_pre = handler.clone();
        let call = async move {
            let proxy = match proxy {
                Some(proxy) => proxy,
                None => {
                    handler_pre.instantiate_async(&mut store).await.map_err(|error| CallError::from_wasmtime(&error))?
                }
            };
            let handler = proxy.wasi_http_incoming_handler();
            handler
                .call_handle(&mut store, request, outparam)
                .await
                .map_err(|error| CallError::from_wasmtime(&error))?;
            Ok(IdleInstance { store, proxy, requests: requests + 1 })
        };
        let mut call = RunningCall::new(Box::pin(call), interruptions, usage);
        let response = self.with_answer_timeout(response_start(&mut call, receiver, &monitor), &monitor).await?;
        if let Some(subscription) = subscription.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Reuse the instance only if its call has returned. Otherwise drop it, because nothing polls the call from
            // now on.
            if let Some(instance) = call.take_output() {
                idle_instances.put(instance);
            }
            return Ok(response.map(|_| ResponseBody::Channel(subscription)));
        }
        // From here on, the compute limit applies and not the answer timeout.
        call.reset_busy_time();
        let (head, output) = response.into_parts();
        let body = ExclusiveBody::new(call, output, idle_instances.clone(), monitor, camera_removed)?;
        Ok(Response::from_parts(head, ResponseBody::Guest(GuestBody::Exclusive(body))))
    }

    /// Limits `future` to the answer timeout, not counting the time in which the guest waits for its client.
    async fn with_answer_timeout<T>(
        &self,
        future: impl Future<Output = Result<T, CallError>>,
        monitor: &BodyMonitor,
    ) -> Result<T, CallError> {
        let started = Instant::now();
        let mut future = pin!(future);
        let mut left = self.answer_timeout;
        loop {
            if let Ok(result) = timeout(left, &mut future).await {
                return result;
            }
            let used = started.elapsed().saturating_sub(monitor.waited());
            if used >= self.answer_timeout {
                return Err(CallError::TimedOut(self.answer_timeout));
            }
            left = (self.answer_timeout - used).max(MIN_CHECK_INTERVAL);
        }
    }
}

/// The argument of `response-outparam.set`.
type OutparamResult = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// Runs a call until the guest has set `response-outparam`, or until the client has failed to send the request body.
async fn response_start(
    call: &mut RunningCall<IdleInstance>,
    mut receiver: oneshot::Receiver<OutparamResult>,
    monitor: &BodyMonitor,
) -> Result<Response<HyperOutgoingBody>, CallError> {
    std::future::poll_fn(|context| {
        let polled = call.poll(context);
        // A failure of the client takes precedence over whatever the guest made of it.
        if let Some(error) = monitor.error() {
            return Poll::Ready(Err(error));
        }
        // A trap takes precedence over a response, since nothing of the response has been sent.
        if let Poll::Ready(Err(error)) = polled {
            return Poll::Ready(Err(error));
        }
        match receiver.try_recv() {
            Ok(Ok(response)) => Poll::Ready(Ok(response)),
            Ok(Err(code)) => Poll::Ready(Err(CallError::error_code(&code))),
            // The sender is dropped when the guest returns. Only the guest can use it, and it was just polled.
            Err(_) if polled.is_ready() => Poll::Ready(Err(CallError::NoResponse)),
            Err(_) => Poll::Pending,
        }
    })
    .await
}
