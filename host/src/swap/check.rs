//! What a candidate must pass before it serves: it compiles, the host offers all its imports, it can be instantiated,
//! and it answers a test request.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http::Request;
use http::header::HOST;
use http_body_util::{BodyExt as _, Empty};
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::time::timeout;
use tracing::warn;

use crate::sandbox::{
    COMPUTE_LIMIT, CallError, Cancellation, Candidate, CompileGuard, Composition, Instances, Invoker, Lifecycle,
    LoadError, LoadedGuest, Middleware, Origin, Priority, ResponseAborted, ResponseBody, load_guest,
};

/// How long the response to the test request is read. A page ends earlier. A stream that lasts this long passes.
/// Longer than [`COMPUTE_LIMIT`], so that a guest that computes without a pause is caught.
const READ_TIME: Duration = Duration::from_secs(3);
const _: () = assert!(READ_TIME.as_millis() > COMPUTE_LIMIT.as_millis());

/// How much of the response to the test request is read, in bytes: more than any page.
const READ_BYTES: usize = 1 << 20;

/// Why a candidate does not serve.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// The candidate cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The candidate failed on the test request.
    #[error("{origin} failed its test request, GET /: {failure}")]
    TestRequest {
        /// Where the candidate came from.
        origin: Origin,
        /// How it failed.
        failure: CallError,
    },
    /// The system refused a thread to compile the candidate.
    #[error("cannot start a thread to compile a component: {0}")]
    Thread(io::Error),
    /// The thread that compiles the candidate panicked.
    #[error("{0} cannot be loaded because of a bug in hotshoe; please report it, with the component")]
    Panicked(Origin),
}

impl SwapError {
    /// The results of [`kind`](Self::kind).
    pub const KINDS: [&str; 8] =
        ["unreadable", "too_large", "invalid", "not_compiled", "imports", "exports", "test_request", "internal"];

    /// Names the kind of the error, for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Load(error) => error.kind(),
            Self::TestRequest { .. } => "test_request",
            Self::Thread(_) | Self::Panicked(_) => "internal",
        }
    }
}

/// Puts middleware in front of a candidate: `kept`, or else what its files contain now. Holds the lock as [`compile`]
/// does.
pub(super) async fn wrap(
    invoker: Arc<Invoker>,
    middleware: Middleware,
    kept: Option<Arc<Composition>>,
    candidate: Candidate,
    priority: Priority,
    lock: OwnedMutexGuard<()>,
) -> Result<(OwnedMutexGuard<()>, Candidate), SwapError> {
    if middleware.is_empty() {
        return Ok((lock, candidate));
    }
    let origin = candidate.origin.clone();
    let wrap = move |cancellation: &Cancellation| {
        middleware.wrap(candidate, kept.as_deref(), invoker.sandbox(), priority, cancellation)
    };
    on_thread(origin, lock, wrap).await
}

/// Loads a candidate and compiles it if it is not cached. Holds the lock meanwhile, and returns it.
///
/// Dropping the future ends the compiler, and releases the lock once it has ended.
pub(super) async fn compile(
    invoker: Arc<Invoker>,
    candidate: Candidate,
    priority: Priority,
    lock: OwnedMutexGuard<()>,
) -> Result<(OwnedMutexGuard<()>, LoadedGuest), SwapError> {
    let origin = candidate.origin.clone();
    let load = move |cancellation: &Cancellation| load_guest(&candidate, invoker.sandbox(), priority, cancellation);
    on_thread(origin, lock, load).await
}

/// Runs `work`, which blocks, on a thread of its own. Holds the lock meanwhile, and returns it. `origin` names the
/// component in errors.
///
/// Dropping the future cancels the work, and releases the lock once it has ended.
pub(super) async fn on_thread<T: Send + 'static>(
    origin: Origin,
    lock: OwnedMutexGuard<()>,
    work: impl FnOnce(&Cancellation) -> Result<T, LoadError> + Send + 'static,
) -> Result<(OwnedMutexGuard<()>, T), SwapError> {
    let (sender, done) = oneshot::channel();
    let guard = CompileGuard::default();
    let cancellation = guard.cancellation();
    let work = move || {
        let result = work(&cancellation);
        // If the receiver was dropped, this drops the result and releases the lock.
        let _ = sender.send(result.map(|result| (lock, result)));
    };
    thread::Builder::new().name("guest-compiler".to_owned()).spawn(work).map_err(SwapError::Thread)?;
    // Only a panic drops the sender unused.
    Ok(done.await.map_err(|_| SwapError::Panicked(origin))??)
}

/// Sends a guest a request for `/`, as a client would. Any status passes: a guest that needs a camera for its page may
/// say that there is none. But the response must start in time, and the guest must not trap. `number` is the generation
/// that the guest would become.
pub(super) async fn send_test_request(invoker: &Invoker, guest: &LoadedGuest, number: u64) -> Result<(), SwapError> {
    let failed = |failure| SwapError::TestRequest { origin: guest.origin.clone(), failure };
    // Held to the end: dropping the sender ends the lifecycle.
    let (_phase, lifecycle) = Lifecycle::begin_test(number, guest.digest.clone());
    let mut request = Request::new(Empty::<Bytes>::new());
    request.headers_mut().insert(HOST, http::HeaderValue::from_static("localhost"));
    let instances = Instances::default();
    let response = invoker.handle(guest, lifecycle, &instances, request).await.map_err(failed)?;
    if response.status().is_server_error() {
        warn!("{} answers GET / with {}", guest.origin, response.status());
    }
    // The channels of a candidate are closed, so there is nothing to read.
    let ResponseBody::Guest(mut body) = response.into_body() else { return Ok(()) };
    let read = async {
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame?.data_ref().map_or(0, |data| data.remaining());
            if length > READ_BYTES {
                break;
            }
        }
        Ok(())
    };
    match timeout(READ_TIME, read).await {
        Ok(Err(ResponseAborted(failure))) => Err(failed(failure)),
        // A body that has not ended by then is a stream.
        Ok(Ok(())) | Err(_) => Ok(()),
    }
}
