//! One request: an instance of the guest is made, or a spare one taken, called, and waited for until it begins its answer.

use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Version};
use http_body::Body;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::component::{LoadedGuest, one_line};
use super::engine::Sandbox;
use super::error::CallError;
use super::idle_instances::{IdleInstance, IdleInstances};
use super::lifecycle::Lifecycle;
use super::request_body::{BodyWatch, GUEST_LIMITS, RequestBody};
use super::response_body::GuestBody;
use super::running::Running;
use super::state::{HostContext, new_store};
use crate::camera::Cameras;
use crate::channels::{Channels, Joined, Publisher};

/// Calls guests: what every instance of every guest is given.
pub struct Invoker {
    world: HostContext,
    answer_timeout: Duration,
}

/// The body of an answer.
pub enum GuestResponse {
    /// The guest is writing it.
    Own(GuestBody),
    /// The guest has let a channel write it, and is not needed any more.
    Shared(Joined),
}

impl Invoker {
    /// Call guests in this sandbox, with these cameras and channels. `allow_control` is whether they may set what can
    /// be set on cameras, and `answer_timeout` how long one may take to begin an answer.
    pub fn new(
        sandbox: Sandbox,
        cameras: Cameras,
        allow_control: bool,
        channels: Channels,
        answer_timeout: Duration,
    ) -> Self {
        Self { world: HostContext { sandbox, cameras, allow_control, channels }, answer_timeout }
    }

    /// The sandbox.
    pub fn sandbox(&self) -> &Sandbox {
        &self.world.sandbox
    }

    /// Have a channel published by a new instance of `guest`, as part of this term, for as long as the future is
    /// not dropped. Returns when the guest says that the stream is over, which fails if it does not publish.
    pub async fn publish(
        &self,
        guest: &LoadedGuest,
        lifecycle: Lifecycle,
        publisher: Publisher,
    ) -> Result<(), CallError> {
        let Some(publishing) = guest.publishing.clone() else { return Err(CallError::NoPublisher) };
        let mut store = new_store(&self.world, guest, lifecycle);
        let interruptions = store.data().interruptions.clone();
        let call = async move {
            let channel =
                store.data_mut().table.push(publisher).map_err(|error| CallError::Trapped(error.to_string()))?;
            let instance =
                publishing.instantiate_async(&mut store).await.map_err(|error| CallError::of_call(&error))?;
            instance
                .hotshoe_camera_publisher()
                .call_publish(&mut store, channel)
                .await
                .map_err(|error| CallError::of_call(&error))
        };
        let mut running = Running::new(Box::pin(call), interruptions);
        std::future::poll_fn(|context| match running.poll(context) {
            Poll::Pending if running.spins() => Poll::Ready(Err(CallError::Spun)),
            polled => polled,
        })
        .await
    }

    /// Have one request answered by an instance of `guest`, as part of this term: one of `spares`, which are of the same
    /// guest and term, or a new one.
    ///
    /// Returns when the guest has begun its answer; the body of the response then runs the instance, and
    /// ends it when dropped. Where the guest has joined a channel, the instance is not needed any more. Dropping the
    /// future before that ends the instance as well. One whose call has returned, after a whole answer, may go to
    /// `spares` instead.
    ///
    /// A client that does not send the body of its request is not the guest's concern: the instance ends, and this fails
    /// with [`CallError::BodyTimedOut`] or [`CallError::BodyBrokenOff`]. The time in which the guest waits for its client is
    /// not part of the time that it has to answer.
    pub async fn answer<B>(
        &self,
        guest: &LoadedGuest,
        lifecycle: Lifecycle,
        idle_instances: &Arc<IdleInstances>,
        mut request: Request<B>,
    ) -> Result<Response<GuestResponse>, CallError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        // `wasi:http` wants an authority; HTTP/1.0 does not.
        if request.version() <= Version::HTTP_10 && !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
        }
        let request = request.map(|body| RequestBody::new(body, GUEST_LIMITS));
        let body = request.body().watch();
        let bad = |error: wasmtime::Error| CallError::BadRequest(one_line(&error));
        let (mut store, proxy, answers) = match idle_instances.take() {
            Some(IdleInstance { store, proxy, answers }) => (store, Some(proxy), answers),
            None => (new_store(&self.world, guest, lifecycle), None, 0),
        };
        let (answer_sender, answer) = oneshot::channel();
        let request = store.data_mut().http().new_incoming_request(Scheme::Http, request).map_err(bad)?;
        let outparam = store.data_mut().http().new_response_outparam(answer_sender).map_err(bad)?;
        let interruptions = store.data().interruptions.clone();
        let joined = store.data().joined.clone();
        let handler = guest.handler.clone();
        let call = async move {
            let proxy = match proxy {
                Some(proxy) => proxy,
                None => handler.instantiate_async(&mut store).await.map_err(|error| CallError::of_call(&error))?,
            };
            let handler = proxy.wasi_http_incoming_handler();
            handler.call_handle(&mut store, request, outparam).await.map_err(|error| CallError::of_call(&error))?;
            if store.data_mut().has_unfinished_body() {
                return Err(CallError::Unfinished);
            }
            Ok(IdleInstance { store, proxy, answers: answers + 1 })
        };
        let mut running = Running::new(Box::pin(call), interruptions);
        let head = self.in_time(begin(&mut running, answer, &body), &body).await?;
        if let Some(viewer) = joined.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Not if it has not returned: there is nobody to run it.
            if let Some(idle_instance) = running.take_output() {
                idle_instances.put(idle_instance);
            }
            return Ok(head.map(|_| GuestResponse::Shared(viewer)));
        }
        // From here on the limit on computing counts, and not the answer's timeout.
        running.reset_busy_time();
        Ok(head.map(|written| GuestResponse::Own(GuestBody::new(running, written, idle_instances.clone(), body))))
    }

    /// Wait for the beginning of an answer for as long as the guest may take. While the guest waits for its client, the
    /// client's own limits count.
    async fn in_time<T>(
        &self,
        beginning: impl Future<Output = Result<T, CallError>>,
        body: &BodyWatch,
    ) -> Result<T, CallError> {
        /// Between two looks at the clock, so that looking costs nothing.
        const LEAST: Duration = Duration::from_millis(50);
        let begun = Instant::now();
        let mut beginning = pin!(beginning);
        let mut left = self.answer_timeout;
        loop {
            if let Ok(begun) = timeout(left, &mut beginning).await {
                return begun;
            }
            let used = begun.elapsed().saturating_sub(body.waited());
            if used >= self.answer_timeout {
                return Err(CallError::TimedOut(self.answer_timeout));
            }
            left = (self.answer_timeout - used).max(LEAST);
        }
    }
}

/// What a guest gives to `response-outparam.set`.
type Answer = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// Run the call until the guest has set its answer, or its client has failed to send the body.
async fn begin(
    running: &mut Running<IdleInstance>,
    mut answer: oneshot::Receiver<Answer>,
    body: &BodyWatch,
) -> Result<Response<HyperOutgoingBody>, CallError> {
    std::future::poll_fn(|context| {
        let outcome = running.poll(context);
        // Whatever the guest makes of that.
        if let Some(failure) = body.failure() {
            return Poll::Ready(Err(failure));
        }
        // A trap goes before an answer of which nothing has been sent yet.
        if let Poll::Ready(Err(error)) = outcome {
            return Poll::Ready(Err(error));
        }
        match answer.try_recv() {
            Ok(Ok(head)) => Poll::Ready(Ok(head)),
            Ok(Err(code)) => Poll::Ready(Err(CallError::Refused(code))),
            // The guest drops the sender when it returns; it alone can fill it, and it was just polled.
            Err(_) if outcome.is_ready() => Poll::Ready(Err(CallError::NoAnswer)),
            Err(_) => Poll::Pending,
        }
    })
    .await
}
