//! The capture thread: opens a camera, reads it, hands over the newest frame, closes it.
//!
//! There is one for each camera that is open, and none for one that is not. It hands frames to a single
//! task (the camera's supervisor in [`super::hub`]), which wakes the readers from inside the runtime: a
//! thread outside the runtime would pay one system call for each of them.
//!
//! What a camera gives as raw pixels is left to an encoding thread ([`super::encoding`]), while somebody reads it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::encoding::{EncodingThread, Negative, NoEncoder};
use super::error::SourceError;
use super::frame::Frame;
use super::record::{Place, Record};
use super::source::{ImageData, Source, StreamMode};
use super::status::{Outage, OutageCause};

/// How long the thread waits for a picture before it looks whether it shall end: the longest that closing a
/// camera can be delayed, and short enough that nobody notices.
const WAIT: Duration = Duration::from_millis(200);

/// Linux cuts the name of a thread to 15 bytes; these leave 8 of them for the camera's name, or 7.
const CAPTURE_THREAD: &str = "capture-";
const ENCODING_THREAD: &str = "encode-";
const THREAD_NAME_LIMIT: usize = 15;

/// The name of a thread that works for the camera of this name.
fn thread_name(work: &str, camera: &str) -> String {
    work.chars().chain(camera.chars()).take(THREAD_NAME_LIMIT).collect()
}

/// Why a capture thread ended by itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaptureError {
    /// The camera failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The operating system gave no thread.
    #[error("cannot start a thread to capture with: {0}; the limit on processes may be reached (`ulimit -u`)")]
    Thread(io::Error),
    /// The device does not even answer.
    #[error("no answer from the camera for {} seconds; plug it in again", .0.as_secs())]
    Silent(Duration),
    /// Its images cannot be made pictures of.
    #[error("the images of the camera cannot be encoded; try another format= or size=")]
    Encoding,
    /// A defect of this program. It ends this opening of this camera and nothing else.
    #[error("the capture thread panicked; please report this")]
    Panicked,
}

impl From<&CaptureError> for Outage {
    fn from(error: &CaptureError) -> Self {
        let cause = match error {
            CaptureError::Source(
                SourceError::NotFound { .. } | SourceError::Gone { .. } | SourceError::NoPictures { .. },
            ) => OutageCause::NotFound,
            CaptureError::Source(SourceError::Folder { source, .. }) => match source.kind() {
                io::ErrorKind::NotFound => OutageCause::NotFound,
                io::ErrorKind::PermissionDenied => OutageCause::AccessDenied,
                _ => OutageCause::Failed,
            },
            CaptureError::Source(SourceError::Busy { .. }) => OutageCause::Busy,
            CaptureError::Source(SourceError::AccessDenied { .. }) => OutageCause::AccessDenied,
            CaptureError::Source(
                SourceError::NotCamera { .. } | SourceError::NeedsLibcamera { .. } | SourceError::NoFormat { .. },
            ) => OutageCause::Unsupported,
            CaptureError::Source(SourceError::Stalled { .. }) | CaptureError::Silent(_) => OutageCause::Stalled,
            _ => OutageCause::Failed,
        };
        Self { cause, message: error.to_string().into() }
    }
}

/// What the capture thread last came to.
#[derive(Clone, Debug, Default)]
pub(super) enum Progress {
    /// The device is being opened.
    #[default]
    Opening,
    /// The device is open and has given no picture yet.
    Open(StreamMode),
    /// It gives pictures, and none is made of them since nobody reads it.
    Unseen(StreamMode),
    /// The newest frame. Those that were not looked at in time are gone: latest wins.
    Frame(StreamMode, Arc<Frame>),
}

impl Progress {
    /// How the camera streams; none before it is open.
    pub(super) fn mode(&self) -> Option<StreamMode> {
        match self {
            Self::Opening => None,
            Self::Open(mode) | Self::Unseen(mode) | Self::Frame(mode, _) => Some(*mode),
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

/// What a capture thread works with.
struct Work {
    camera: String,
    source: Arc<dyn Source>,
    stop: Arc<AtomicBool>,
    progress: watch::Sender<Progress>,
    record: Arc<Record>,
    readers: watch::Receiver<usize>,
}

impl CaptureThread {
    /// Start to read `source`. All frames that come and do not are put on `record`, and raw images are made pictures of
    /// while there are `readers`.
    pub(super) fn start(
        camera: &str,
        source: Arc<dyn Source>,
        record: Arc<Record>,
        readers: watch::Receiver<usize>,
    ) -> Result<Self, CaptureError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (progress_sender, progress) = watch::channel(Progress::default());
        let (end_sender, end) = oneshot::channel();
        let work =
            Work { camera: camera.to_owned(), source, stop: stop.clone(), progress: progress_sender, record, readers };
        thread::Builder::new()
            .name(thread_name(CAPTURE_THREAD, camera))
            .spawn(move || {
                // A driver that returns nonsense must not take the server down, whatever we overlooked.
                let result = catch_unwind(AssertUnwindSafe(|| work.run())).unwrap_or(Err(CaptureError::Panicked));
                // All that this thread had to tell has been told when the other end sees it closed.
                drop(work);
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

impl Work {
    /// The body of the thread: open, read until told to stop, close.
    fn run(&self) -> Result<(), CaptureError> {
        let mut capture = self.source.open()?;
        let mode = capture.mode();
        self.progress.send_replace(Progress::Open(mode));
        // Begun with the first raw image. Dropped before `capture` is, which ends it.
        let mut encoding: Option<EncodingThread> = None;
        while !self.stop.load(Ordering::Relaxed) {
            let captured = capture.next(Instant::now() + WAIT)?;
            self.record.lose(captured.lost);
            let Some(image) = captured.image else { continue };
            let Place { sequence, lost_before } = self.record.place();
            match image.content {
                ImageData::Jpeg(picture) => {
                    let frame = Frame { image: picture, timestamp: image.timestamp, sequence };
                    // Before it can be seen.
                    self.record.add(&frame, lost_before);
                    self.progress.send_replace(Progress::Frame(mode, Arc::new(frame)));
                }
                ImageData::Raw(raw) if self.is_watched() => {
                    let encoding = match &mut encoding {
                        Some(encoding) => encoding,
                        none => none.insert(self.start_encoding(mode)?),
                    };
                    let negative = Negative { raw, timestamp: image.timestamp, sequence, lost_before };
                    let overtaken = encoding.encode(negative).map_err(|NoEncoder| CaptureError::Encoding)?;
                    if overtaken {
                        self.record.overtake();
                    }
                }
                ImageData::Raw(_) => {
                    if let Some(encoding) = &encoding {
                        encoding.clear();
                    }
                    // Who comes next must not find a picture of before.
                    self.progress.send_replace(Progress::Unseen(mode));
                }
            }
        }
        Ok(())
    }

    fn is_watched(&self) -> bool {
        *self.readers.borrow() > 0
    }

    fn start_encoding(&self, mode: StreamMode) -> Result<EncodingThread, CaptureError> {
        let progress = self.progress.clone();
        let record = self.record.clone();
        let done = move |frame, lost_before| {
            record.add(&frame, lost_before);
            progress.send_replace(Progress::Frame(mode, Arc::new(frame)));
        };
        EncodingThread::start(thread_name(ENCODING_THREAD, &self.camera), done).map_err(CaptureError::Thread)
    }
}
