//! One request: a new instance of the guest is made, called, and waited for until it begins its answer.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant as Clock};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Version};
use http_body::Body;
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmtime::PoolConcurrencyLimitError;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{Error as HttpError, WasiHttpView};

use super::body::GuestBody;
use super::component::{Loaded, one_line};
use super::engine::Sandbox;
use super::instance::{FREE_INTERRUPTIONS, new_store};
use crate::camera::Cameras;

/// How long a guest may compute without waiting for anything, once its answer has begun. (Before that, the
/// answer's timeout counts.) Formatting a part takes microseconds; even a guest that encodes pictures waits
/// for the next one in between.
const SPIN_LIMIT: Duration = Duration::from_secs(2);

/// Why a request got no answer from the guest, or no whole one.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It can't be passed to a guest at all.
    #[error("the request is not valid: {0}")]
    BadRequest(String),
    /// All slots of the pool are taken.
    #[error("no room for another instance of the guest")]
    NoRoom,
    /// It trapped. One line; the rest is in the debug log.
    #[error("the guest trapped: {0}")]
    Trapped(String),
    /// It returned without an answer.
    #[error("the guest returned without an answer")]
    NoAnswer,
    /// It answered that it failed.
    #[error("the guest answered with an error: {0}")]
    Refused(ErrorCode),
    /// It did not begin its answer in time.
    #[error("the guest did not begin its answer within {} seconds", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It returned and had not finished the body of its answer.
    #[error("the guest left its answer unfinished")]
    Unfinished,
    /// It computed without a pause while it was answering.
    #[error("the guest computed for {} seconds without a pause", SPIN_LIMIT.as_secs())]
    Spun,
}

/// A guest that answers requests.
pub struct Guest {
    sandbox: Arc<Sandbox>,
    loaded: Loaded,
    cameras: Cameras,
    answer_timeout: Duration,
}

impl Guest {
    /// Answer with this component. `answer_timeout` is how long it may take to begin an answer.
    pub fn new(sandbox: Arc<Sandbox>, loaded: Loaded, cameras: Cameras, answer_timeout: Duration) -> Self {
        Self { sandbox, loaded, cameras, answer_timeout }
    }

    /// Answer one request, by a new instance.
    ///
    /// Returns when the guest has begun its answer; the body of the response then runs the instance, and
    /// ends it when dropped. Dropping the future before that ends the instance as well.
    pub async fn answer<B>(&self, mut request: Request<B>) -> Result<Response<GuestBody>, CallError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<HttpError>,
    {
        // `wasi:http` wants an authority; HTTP/1.0 does not.
        if request.version() <= Version::HTTP_10 && !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
        }
        let bad = |error: wasmtime::Error| CallError::BadRequest(one_line(&error));
        let mut store = new_store(&self.sandbox, self.cameras.clone());
        let (answer_sender, answer) = oneshot::channel();
        let request = store.data_mut().http().new_incoming_request(Scheme::Http, request).map_err(bad)?;
        let outparam = store.data_mut().http().new_response_outparam(answer_sender).map_err(bad)?;
        let interruptions = store.data().interruptions.clone();
        let handler = self.loaded.handler.clone();
        let call = async move {
            let instance = handler.instantiate_async(&mut store).await.map_err(call_error)?;
            instance
                .wasi_http_incoming_handler()
                .call_handle(&mut store, request, outparam)
                .await
                .map_err(call_error)?;
            if store.data_mut().has_unfinished_body() { Err(CallError::Unfinished) } else { Ok(()) }
        };
        let mut running = Running::new(Box::pin(call), interruptions);
        let head = timeout(self.answer_timeout, begin(&mut running, answer))
            .await
            .map_err(|_| CallError::TimedOut(self.answer_timeout))??;
        // From here on, that limit counts and not the answer's timeout.
        running.busy = Duration::ZERO;
        Ok(head.map(|body| GuestBody::new(running, body)))
    }
}

/// What a guest gives to `response-outparam.set`.
type Answer = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// Run the call until the guest has set its answer.
async fn begin(
    running: &mut Running,
    mut answer: oneshot::Receiver<Answer>,
) -> Result<Response<HyperOutgoingBody>, CallError> {
    std::future::poll_fn(|context| {
        let outcome = running.poll(context);
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

/// A call's future, with its instance inside.
type Call = Pin<Box<dyn Future<Output = Result<(), CallError>> + Send>>;

/// A call that runs for as long as it is polled, and ends when dropped.
///
/// It belongs to the task of the connection, which is woken for many reasons: the socket takes bytes again,
/// the client sends something. The guest is entered only when something has happened that it waits for.
pub(super) struct Running {
    /// None when it has returned.
    call: Option<Call>,
    doorbell: Arc<Doorbell>,
    /// How often the guest was interrupted since it was entered; see `Instance`.
    interruptions: Arc<AtomicU32>,
    /// For how long the guest has computed without waiting for anything.
    busy: Duration,
}

impl Running {
    fn new(call: Call, interruptions: Arc<AtomicU32>) -> Self {
        let doorbell = Arc::new(Doorbell { rung: AtomicBool::new(true), task: AtomicWaker::new() });
        Self { call: Some(call), doorbell, interruptions, busy: Duration::ZERO }
    }

    /// Let the guest run until it waits for something. Ready when it has returned (again and again, if
    /// polled on) or trapped.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        let Some(call) = &mut self.call else { return Poll::Ready(Ok(())) };
        self.doorbell.task.register(context.waker());
        if !self.doorbell.rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let entered = Clock::now();
        let polled = call.as_mut().poll(&mut Context::from_waker(&Waker::from(self.doorbell.clone())));
        if self.interruptions.swap(0, Ordering::Relaxed) > FREE_INTERRUPTIONS {
            self.busy += entered.elapsed();
        } else {
            self.busy = Duration::ZERO;
        }
        if polled.is_ready() {
            self.call = None;
        }
        polled
    }

    /// Whether the guest has been computing without a pause for longer than it may.
    pub(super) fn spins(&self) -> bool {
        self.busy > SPIN_LIMIT
    }
}

/// The waker that a guest waits with: it remembers that it was rung, and wakes the connection's task.
struct Doorbell {
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

fn call_error(error: wasmtime::Error) -> CallError {
    if error.is::<PoolConcurrencyLimitError>() {
        return CallError::NoRoom;
    }
    tracing::debug!("{error:?}");
    // The causes in between are the WebAssembly stack, which takes many lines.
    CallError::Trapped(error.root_cause().to_string())
}
