//! The capture thread: opens a camera, reads it, hands over the newest frame, closes it.
//!
//! There is one for each camera that is open, and none for one that is not. It hands frames to a single
//! task (the camera's supervisor in [`super::hub`]), which wakes the readers from inside the runtime: a
//! thread outside the runtime would pay one system call for each of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::frame::Frame;
use super::source::{Mode, Source, SourceError};

/// How long the thread waits for a picture before it looks whether it shall end: the longest that closing a
/// camera can be delayed, and short enough that nobody notices.
const WAIT: Duration = Duration::from_millis(200);

/// Linux cuts the name of a thread to 15 bytes; this leaves 7 of them for the camera's name.
const THREAD_NAME: &str = "capture-";
const THREAD_NAME_LIMIT: usize = 15;

/// Why a capture thread ended by itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaptureError {
    /// The camera failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The operating system gave no thread.
    #[error("cannot start a thread to capture with: {0}; the limit on processes may be reached (`ulimit -u`)")]
    Thread(std::io::Error),
    /// A defect of this program. It ends this opening of this camera and nothing else.
    #[error("the capture thread panicked; please report this")]
    Panicked,
}

/// What the capture thread last came to.
#[derive(Clone, Debug, Default)]
pub(super) enum Progress {
    /// The device is being opened.
    #[default]
    Opening,
    /// The device is open and has given no picture yet.
    Open(Mode),
    /// The newest frame. Those that were not looked at in time are gone: latest wins.
    Frame(Mode, Arc<Frame>),
}

impl Progress {
    /// How the camera streams; none before it is open.
    pub(super) fn mode(&self) -> Option<Mode> {
        match self {
            Self::Opening => None,
            Self::Open(mode) | Self::Frame(mode, _) => Some(*mode),
        }
    }
}

/// A running capture thread. Dropping it tells the thread to end, and does not wait for that.
pub(super) struct CaptureThread {
    stop: Arc<AtomicBool>,
    /// The newest that the thread has to tell.
    pub(super) progress: watch::Receiver<Progress>,
    /// How the thread ended.
    end: oneshot::Receiver<Result<(), CaptureError>>,
}

impl CaptureThread {
    /// Start to read `source`. Frames are numbered from `first_sequence`.
    pub(super) fn start(name: &str, source: Arc<dyn Source>, first_sequence: u64) -> Result<Self, CaptureError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (progress_sender, progress) = watch::channel(Progress::default());
        let (end_sender, end) = oneshot::channel();
        let thread_name: String = THREAD_NAME.chars().chain(name.chars()).take(THREAD_NAME_LIMIT).collect();
        let stopped = stop.clone();
        thread::Builder::new()
            .name(thread_name)
            .spawn(move || {
                let read = || read(&*source, first_sequence, &stopped, &progress_sender);
                // A driver that returns nonsense must not take the server down, whatever we overlooked.
                let result = catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(CaptureError::Panicked));
                // Nobody listens any more when the server is ending.
                let _ = end_sender.send(result);
            })
            .map_err(CaptureError::Thread)?;
        Ok(Self { stop, progress, end })
    }

    /// Tell the thread to end and wait until the device is closed.
    pub(super) async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = (&mut self.end).await;
    }

    /// Wait until the thread ends by itself, which it only does on a failure. Cancel-safe.
    pub(super) async fn failed(&mut self) -> CaptureError {
        match (&mut self.end).await {
            Ok(Err(error)) => error,
            // It ended without being told to, and without a word.
            Ok(Ok(())) | Err(_) => CaptureError::Panicked,
        }
    }
}

impl Drop for CaptureThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The body of the thread: open, read until told to stop, close.
fn read(
    source: &dyn Source,
    first_sequence: u64,
    stop: &AtomicBool,
    progress: &watch::Sender<Progress>,
) -> Result<(), CaptureError> {
    let mut capture = source.open()?;
    let mode = capture.mode();
    progress.send_replace(Progress::Open(mode));
    let mut sequence = first_sequence;
    while !stop.load(Ordering::Relaxed) {
        let Some(captured) = capture.next(Instant::now() + WAIT)? else { continue };
        sequence += captured.missed;
        let frame = Frame { picture: captured.picture, captured: captured.taken, sequence };
        progress.send_replace(Progress::Frame(mode, Arc::new(frame)));
        sequence += 1;
    }
    Ok(())
}
