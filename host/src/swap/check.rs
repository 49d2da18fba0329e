//! What a candidate has to pass before it serves: it compiles, its imports are offered, it can be called, and
//! it answers a request for `/`.

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
    COMPUTE_LIMIT, CallError, Candidate, CompileGuard, Invoker, Lifecycle, LoadError, LoadedGuest, Origin, Priority,
    ResponseAborted, ResponseBody, load_guest,
};

/// How much of the answer is read, in time and in bytes. A page ends before; of a stream this is enough to
/// see that it runs.
///
/// Longer than a guest may compute without a pause, so that one that does is seen to.
const READING_TIME: Duration = Duration::from_secs(3);
const _: () = assert!(READING_TIME.as_millis() > COMPUTE_LIMIT.as_millis());
const READING_BYTES: usize = 1 << 20;

/// Why a candidate does not serve.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// It can't be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It failed on the request that it was tried with.
    #[error("{origin} failed when it was tried with GET /: {failure}")]
    Tried {
        /// Where it is from.
        origin: Origin,
        /// How it failed.
        failure: CallError,
    },
    /// There is no thread to compile it.
    #[error("cannot start a thread to compile the guest: {0}")]
    Thread(io::Error),
    /// The thread has panicked.
    #[error("{0} cannot be loaded for a reason that is a defect of this program; please report that, with the guest")]
    Panicked(Origin),
}

/// Load a candidate, and compile it if need be, in the turn that is given, and given back.
///
/// Dropping the future ends the compiler. The turn is over when it has ended.
pub(super) async fn compile(
    invoker: Arc<Invoker>,
    candidate: Candidate,
    priority: Priority,
    turn: OwnedMutexGuard<()>,
) -> Result<(OwnedMutexGuard<()>, LoadedGuest), SwapError> {
    let origin = candidate.origin.clone();
    let (sender, compiled) = oneshot::channel();
    let guard = CompileGuard::default();
    let cancellation = guard.cancellation();
    let work = move || {
        let loaded = load_guest(&candidate, invoker.sandbox(), priority, &cancellation);
        // Where nobody is waiting any more, this drops what was loaded, and the turn.
        let _ = sender.send(loaded.map(|loaded| (turn, loaded)));
    };
    thread::Builder::new().name("guest-compiler".to_owned()).spawn(work).map_err(SwapError::Thread)?;
    // The sender is dropped unused only if the thread panicked.
    Ok(compiled.await.map_err(|_| SwapError::Panicked(origin))??)
}

/// Ask a guest for `/` as a client would. It may answer with any status: a guest that needs a camera for it may
/// rightly say that there is none. But it must begin its answer in time, and not trap.
pub(super) async fn try_out(invoker: &Invoker, guest: &LoadedGuest, number: u64) -> Result<(), SwapError> {
    let failed = |failure| SwapError::Tried { origin: guest.origin.clone(), failure };
    // Held to the end, since without it the term is over.
    let (_stage, lifecycle) = Lifecycle::begin(number, guest.digest.clone());
    let mut request = Request::new(Empty::<Bytes>::new());
    request.headers_mut().insert(HOST, http::HeaderValue::from_static("localhost"));
    let response = invoker.handle(guest, lifecycle, &Arc::default(), request).await.map_err(failed)?;
    if response.status().is_server_error() {
        warn!("{} answers GET / with {}", guest.origin, response.status());
    }
    // Of a channel nothing is read: its publisher would be the current guest's.
    let ResponseBody::Guest(mut body) = response.into_body() else { return Ok(()) };
    let reading = async {
        let mut read = 0;
        while let Some(frame) = body.frame().await {
            read += frame?.data_ref().map_or(0, |data| data.remaining());
            if read > READING_BYTES {
                break;
            }
        }
        Ok(())
    };
    match timeout(READING_TIME, reading).await {
        Ok(Err(ResponseAborted(failure))) => Err(failed(failure)),
        // What has not ended in that time is a stream.
        Ok(Ok(())) | Err(_) => Ok(()),
    }
}
