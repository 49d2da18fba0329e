//! The capture thread: opens a camera, reads it, publishes the newest frame, closes it.
//!
//! Each open camera has one. It hands frames to a single task, the camera's supervisor, which wakes the readers from
//! within the runtime: from a thread outside the runtime, each wake-up would cost a system call.
//!
//! While the camera has readers, or if it remembers frames, raw images go to an encoding thread ([`super::encoding`]), and
//! all images of a camera with filters to a filter thread ([`super::filtering`]).

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::encoding::{EncoderStopped, EncodingThread, RawFrame};
use super::error::SourceError;
use super::filtering::{FilterInput, FilterThread, Filtered, Filters, WaitingFrame};
use super::frame::Frame;
use super::frame_tracker::FrameTracker;
use super::network::NetworkError;
use super::piped::error::InputError;
use super::source::{Capture, ImageData, Source};
use super::status::{Outage, OutageCause};
use super::stream_mode::StreamMode;
use super::task_mailbox::{MailReceiver, MailSender, task_mailbox};

/// How long the thread waits for an image before it checks whether to stop. This is the longest delay when closing a
/// camera.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// Linux truncates thread names to 15 bytes, which leaves 7 or 8 for the name of the camera.
const CAPTURE_THREAD: &str = "capture-";
const ENCODING_THREAD: &str = "encode-";
const FILTER_THREAD: &str = "filter-";
const MAX_THREAD_NAME: usize = 15;

/// Returns the name of a thread that serves a camera.
fn thread_name(prefix: &str, camera: &str) -> String {
    prefix.chars().chain(camera.chars()).take(MAX_THREAD_NAME).collect()
}

/// Why a capture thread stopped without being told to.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaptureError {
    /// The camera failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The operating system refused to create a thread.
    #[error("cannot start a capture thread: {0}; the limit on processes may be reached (`ulimit -u`)")]
    Thread(io::Error),
    /// The device does not respond at all.
    #[error("no response from the camera for {} seconds; plug it in again", .0.as_secs())]
    Unresponsive(Duration),
    /// The camera's raw images cannot be encoded.
    #[error("the images of the camera cannot be encoded; try another format= or size=")]
    Encoding,
    /// The filter thread has panicked, a bug in this program.
    #[error("the filters panicked; please report this bug")]
    Filters,
    /// A bug in this program. The camera is reopened like after any other failure.
    #[error("the capture thread panicked; please report this bug")]
    Panicked,
}

impl CaptureError {
    /// Whether the device refuses the credentials.
    pub(super) fn is_refused_login(&self) -> bool {
        matches!(self, Self::Source(SourceError::Network { source: NetworkError::WrongCredentials, .. }))
    }
}

impl From<&CaptureError> for Outage {
    fn from(error: &CaptureError) -> Self {
        // What another host or source reports stays as it is.
        if let CaptureError::Source(
            SourceError::Network { source: NetworkError::Reported(outage), .. } | SourceError::External(outage),
        ) = error
        {
            return outage.clone();
        }
        let cause = match error {
            CaptureError::Source(
                SourceError::NotFound { .. } | SourceError::Gone { .. } | SourceError::NoPictures { .. },
            ) => OutageCause::NotFound,
            CaptureError::Source(SourceError::Folder { source, .. }) => match source.kind() {
                io::ErrorKind::NotFound => OutageCause::NotFound,
                io::ErrorKind::PermissionDenied => OutageCause::AccessDenied,
                _ => OutageCause::Failed,
            },
            CaptureError::Source(SourceError::Input(error)) => match error {
                InputError::ProgramNotFound { .. } | InputError::PipeNotFound { .. } => OutageCause::NotFound,
                InputError::ProgramDenied { .. } => OutageCause::AccessDenied,
                InputError::NotPipe { .. } | InputError::NoImages { .. } | InputError::Terminal => {
                    OutageCause::Unsupported
                }
                InputError::Silent { .. } => OutageCause::Stalled,
                InputError::Start { .. }
                | InputError::ProgramEnded { .. }
                | InputError::Ended { .. }
                | InputError::Read { .. } => OutageCause::Failed,
            },
            CaptureError::Source(SourceError::Network { source, .. }) => source.cause(),
            CaptureError::Source(SourceError::Busy { .. }) => OutageCause::Busy,
            CaptureError::Source(SourceError::AccessDenied { .. }) => OutageCause::AccessDenied,
            CaptureError::Source(
                SourceError::NotCamera { .. }
                | SourceError::NeedsLibcamera { .. }
                | SourceError::NoFormat { .. }
                | SourceError::OnlyVideo { .. }
                | SourceError::CropUnsupported { .. }
                | SourceError::CropOutside { .. }
                | SourceError::UnknownSetting { .. }
                | SourceError::UnsupportedSignal { .. },
            ) => OutageCause::Unsupported,
            CaptureError::Source(
                SourceError::Stalled { .. } | SourceError::NoSignal { .. } | SourceError::SignalChanged { .. },
            )
            | CaptureError::Unresponsive(_) => OutageCause::Stalled,
            _ => OutageCause::Failed,
        };
        Self { cause, message: error.to_string().into() }
    }
}

/// What the capture thread reports. It reports nothing before the device is open.
#[derive(Debug)]
pub(super) enum Progress {
    /// The device is open but has not delivered an image. Its mode may be known only with the first one.
    Open(Option<StreamMode>),
    /// The device delivers images, but they are neither encoded nor filtered: the camera has no readers and remembers no
    /// frames.
    Unread(Option<StreamMode>),
    /// The source works but has no pictures.
    Outage(Option<StreamMode>, Outage),
    /// The source has failed, with the text for the log, and is about to be closed.
    Failing(Outage, String),
    /// A filter has failed, so the newest frame is not for readers.
    FilterFailed(Option<StreamMode>, Outage),
    /// The newest frame. It replaces the previous one, whether or not that was read.
    Frame(Option<StreamMode>, Arc<Frame>),
}

impl Progress {
    /// Returns the mode, or `None` while it is not known.
    pub(super) fn mode(&self) -> Option<StreamMode> {
        match self {
            Self::Failing(..) => None,
            Self::Open(mode)
            | Self::Unread(mode)
            | Self::Outage(mode, _)
            | Self::FilterFailed(mode, _)
            | Self::Frame(mode, _) => *mode,
        }
    }
}

/// A running capture thread. Dropping it tells the thread to stop but does not wait.
pub(super) struct CaptureThread {
    stop: Arc<AtomicBool>,
    /// The thread's reports. A newer one replaces one that was not received.
    pub(super) progress: MailReceiver<Progress>,
    result: oneshot::Receiver<Result<(), CaptureError>>,
}

/// What the capture thread works with.
struct Worker {
    camera: String,
    source: Arc<dyn Source>,
    filters: Arc<Filters>,
    stop: Arc<AtomicBool>,
    progress: MailSender<Progress>,
    tracker: Arc<FrameTracker>,
    readers: watch::Receiver<usize>,
    is_remembered: bool,
}

/// Where images go once they are JPEG.
#[derive(Clone)]
enum Output {
    /// To the readers.
    Readers(MailSender<Progress>, Arc<FrameTracker>),
    /// To the filters, which pass them on to the readers.
    Filters(FilterInput, Arc<FrameTracker>),
}

impl Output {
    fn deliver(&self, frame: WaitingFrame) {
        match self {
            Self::Readers(progress, tracker) => {
                let WaitingFrame { frame, mode, lost_before } = frame;
                let sequence = frame.sequence;
                if tracker.is_withdrawn(sequence) {
                    return;
                }
                // Recorded before readers can see it.
                tracker.add_frame(&frame, lost_before);
                send_unless_withdrawn(progress, tracker, sequence, Progress::Frame(mode, Arc::new(frame)));
            }
            Self::Filters(input, tracker) => {
                if input.put(frame) {
                    tracker.add_replaced();
                }
            }
        }
    }
}

/// Reports what became of an image, unless it is withdrawn. That is decided under the lock of the mailbox, so that a
/// late result never replaces the report of what happened since.
fn send_unless_withdrawn(progress: &MailSender<Progress>, tracker: &FrameTracker, sequence: u64, report: Progress) {
    progress.put_with(|| (!tracker.is_withdrawn(sequence)).then_some(report));
}

impl CaptureThread {
    /// Starts a thread that opens and reads `source`. It records all delivered and lost frames in `tracker`, and
    /// encodes raw images, and filters images, only while `readers` is above 0, unless the camera remembers its frames.
    pub(super) fn start(
        camera: &str,
        source: Arc<dyn Source>,
        filters: Arc<Filters>,
        tracker: Arc<FrameTracker>,
        readers: watch::Receiver<usize>,
        is_remembered: bool,
    ) -> Result<Self, CaptureError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (progress_sender, progress) = task_mailbox();
        let (result_sender, result) = oneshot::channel();
        let camera_name = camera.to_owned();
        let worker = Worker {
            camera: camera_name,
            source,
            filters,
            stop: stop.clone(),
            progress: progress_sender,
            tracker,
            readers,
            is_remembered,
        };
        thread::Builder::new()
            .name(thread_name(CAPTURE_THREAD, camera))
            .spawn(move || {
                // A bug that a driver's nonsense triggers must not take the server down.
                let result = catch_unwind(AssertUnwindSafe(|| worker.run())).unwrap_or(Err(CaptureError::Panicked));
                // Closes `progress` first, so that the supervisor sees every report before the result.
                drop(worker);
                // Fails if the receiver is gone because the server is shutting down.
                let _ = result_sender.send(result);
            })
            .map_err(CaptureError::Thread)?;
        Ok(Self { stop, progress, result })
    }

    /// Tells the thread to stop and waits until it has closed the device. Returns the error if it failed before.
    pub(super) async fn stop(mut self) -> Option<CaptureError> {
        self.stop.store(true, Ordering::Relaxed);
        (&mut self.result).await.ok()?.err()
    }

    /// Waits until the thread stops by itself, which it does only on failure. Cancel-safe.
    pub(super) async fn failed(&mut self) -> CaptureError {
        match (&mut self.result).await {
            Ok(Err(error)) => error,
            // It stopped without a reason.
            Ok(Ok(())) | Err(_) => CaptureError::Panicked,
        }
    }
}

impl Drop for CaptureThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Worker {
    /// The body of the thread: opens the camera, reads it until told to stop, and closes it.
    fn run(&self) -> Result<(), CaptureError> {
        let mut capture = self.source.open()?;
        self.progress.put(Progress::Open(capture.mode()));
        let result = self.read(&mut *capture);
        if let Err(error) = &result {
            // Readers must not wait until the device is closed, which may take long.
            self.progress.put_last(Progress::Failing(error.into(), error.to_string()));
        }
        result
    }

    /// Reads the camera until told to stop.
    fn read(&self, capture: &mut dyn Capture) -> Result<(), CaptureError> {
        let filtering = self.start_filtering()?;
        let output = match &filtering {
            Some(thread) => Output::Filters(thread.input(), self.tracker.clone()),
            None => self.readers(),
        };
        // Started with the first raw image.
        let mut encoding: Option<EncodingThread> = None;
        let mut reported_outage: Option<Outage> = None;
        while !self.stop.load(Ordering::Relaxed) {
            let outcome = capture.next(Instant::now() + STOP_CHECK_INTERVAL)?;
            self.tracker.add_lost(outcome.lost);
            let Some(captured) = outcome.image else {
                if let Some(outage) = capture.outage()
                    && reported_outage.as_ref() != Some(outage)
                {
                    reported_outage = Some(outage.clone());
                    self.withdraw(&output, encoding.as_ref(), Progress::Outage(capture.mode(), outage.clone()));
                }
                continue;
            };
            reported_outage = None;
            let mode = capture.mode();
            if let Some(sequence) = capture.source_sequence() {
                self.tracker.advance_to(sequence);
            }
            if filtering.as_ref().is_some_and(FilterThread::has_ended) {
                return Err(CaptureError::Filters);
            }
            let (timestamp, position) = (captured.timestamp, self.tracker.next_position());
            match captured.data {
                ImageData::Jpeg(image) if filtering.is_none() || self.is_needed() => {
                    let frame = Frame { image, timestamp, sequence: position.sequence };
                    output.deliver(WaitingFrame { frame, mode, lost_before: position.lost_before });
                }
                ImageData::Raw(image) if self.is_needed() => {
                    let encoding = match &mut encoding {
                        Some(encoding) => encoding,
                        none => none.insert(self.start_encoding(mode, output.clone())?),
                    };
                    let frame = RawFrame { image, timestamp, position };
                    let has_replaced = encoding.encode(frame).map_err(|EncoderStopped| CaptureError::Encoding)?;
                    if has_replaced {
                        self.tracker.add_replaced();
                    }
                }
                ImageData::Jpeg(_) | ImageData::Raw(_) => {
                    // The next reader must not get an old frame.
                    self.withdraw(&output, encoding.as_ref(), Progress::Unread(mode));
                }
            }
        }
        Ok(())
    }

    /// Withdraws the last frame and all images that are being encoded or filtered, and reports why.
    fn withdraw(&self, output: &Output, encoding: Option<&EncodingThread>, report: Progress) {
        if let Some(encoding) = encoding {
            encoding.clear();
        }
        if let Output::Filters(input, _) = output {
            input.clear();
        }
        self.progress.put_with(|| {
            self.tracker.withdraw();
            Some(report)
        });
    }

    /// Whether frames are read or remembered.
    fn is_needed(&self) -> bool {
        self.is_remembered || *self.readers.borrow() > 0
    }

    /// The output that nothing filters.
    fn readers(&self) -> Output {
        Output::Readers(self.progress.clone(), self.tracker.clone())
    }

    /// Starts the filter thread, if there are filters.
    fn start_filtering(&self) -> Result<Option<FilterThread>, CaptureError> {
        if self.filters.is_empty() {
            return Ok(None);
        }
        let (progress, tracker, output) = (self.progress.clone(), self.tracker.clone(), self.readers());
        let on_result = move |result| match result {
            Filtered::Frame(frame) => output.deliver(frame),
            Filtered::Failed { sequence, mode, outage } => {
                send_unless_withdrawn(&progress, &tracker, sequence, Progress::FilterFailed(mode, outage));
            }
        };
        let name = thread_name(FILTER_THREAD, &self.camera);
        FilterThread::start(name, self.filters.clone(), on_result).map(Some).map_err(CaptureError::Thread)
    }

    fn start_encoding(&self, mode: Option<StreamMode>, output: Output) -> Result<EncodingThread, CaptureError> {
        let on_frame = move |frame, lost_before| output.deliver(WaitingFrame { frame, mode, lost_before });
        EncodingThread::start(thread_name(ENCODING_THREAD, &self.camera), on_frame).map_err(CaptureError::Thread)
    }
}
