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
use rustix::process::setpriority_process;
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::guest::body::BrokenOff;
use crate::guest::error::SPIN_LIMIT;
use crate::guest::{Answered, CallError, Caller, Candidate, LoadError, Loaded, Origin, Term};

/// How much of the answer is read, in time and in bytes. A page ends before; of a stream this is enough to
/// see that it runs.
///
/// Longer than a guest may compute without a pause, so that one that does is seen to.
const READING_TIME: Duration = Duration::from_secs(3);
const _: () = assert!(READING_TIME.as_millis() > SPIN_LIMIT.as_millis());
const READING_BYTES: usize = 1 << 20;

/// The priority at which guests are compiled, as by `nice`: it takes what the streams leave.
const COMPILER_NICENESS: i32 = 10;

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
    /// The compiler has a defect that this guest brings out.
    #[error("the compiler failed on {0}; please report that, with the guest")]
    Compiler(Origin),
}

/// How much a compiler may get in the way of everything else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Haste {
    /// Nothing else goes on yet.
    Soon,
    /// There are streams.
    BesideStreams,
}

/// Compile a candidate, in the turn that is given, and given back.
///
/// Dropping the future does not stop the compiler: its thread goes on to the end for nothing, and the turn is over
/// only then.
pub(super) async fn compile(
    caller: Arc<Caller>,
    candidate: Candidate,
    haste: Haste,
    turn: OwnedMutexGuard<()>,
) -> Result<(OwnedMutexGuard<()>, Loaded), SwapError> {
    let origin = candidate.origin.clone();
    let (sender, compiled) = oneshot::channel();
    let work = move || {
        // Of this thread alone, whatever the call's name says (setpriority(2), "C library/kernel differences").
        // It is not one of the runtime's, since a priority cannot be raised again.
        if haste == Haste::BesideStreams
            && let Err(error) = setpriority_process(None, COMPILER_NICENESS)
        {
            debug!("the guest is compiled at the usual priority: {error}");
        }
        let loaded = candidate.load(caller.sandbox());
        // Where nobody is waiting any more, this drops what was loaded, and the turn.
        let _ = sender.send(loaded.map(|loaded| (turn, loaded)));
    };
    thread::Builder::new().name("guest-compiler".to_owned()).spawn(work).map_err(SwapError::Thread)?;
    // The sender is dropped unused only if the thread panicked.
    Ok(compiled.await.map_err(|_| SwapError::Compiler(origin))??)
}

/// Ask a guest for `/` as a client would. It may answer with any status: a guest that needs a camera for it may
/// rightly say that there is none. But it must begin its answer in time, and not trap.
pub(super) async fn try_out(caller: &Caller, guest: &Loaded, number: u64) -> Result<(), SwapError> {
    let failed = |failure| SwapError::Tried { origin: guest.origin.clone(), failure };
    // Held to the end, since without it the term is over.
    let (_stage, term) = Term::begin(number, guest.digest.clone());
    let mut request = Request::new(Empty::<Bytes>::new());
    request.headers_mut().insert(HOST, http::HeaderValue::from_static("localhost"));
    let response = caller.answer(guest, term, &Arc::default(), request).await.map_err(failed)?;
    if response.status().is_server_error() {
        warn!("{} answers GET / with {}", guest.origin, response.status());
    }
    // Of a channel nothing is read: its publisher would be the current guest's.
    let Answered::Own(mut body) = response.into_body() else { return Ok(()) };
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
        Ok(Err(BrokenOff(failure))) => Err(failed(failure)),
        // What has not ended in that time is a stream.
        Ok(Ok(())) | Err(_) => Ok(()),
    }
}
