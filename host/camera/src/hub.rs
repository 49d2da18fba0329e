//! The hub: one camera shared by everyone who reads it.
//!
//! Each camera has a supervisor, a task that waits for a first reader, starts the capture thread, passes its
//! frames on, and stops it some time after the last reader has gone. Readers ([`Feed`]) wait on one shared
//! slot that holds the camera's [`Status`] with its newest frame. Nothing queues: a reader that comes late
//! finds the newest frame, and the camera never waits for anyone.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::capture::{CaptureError, CaptureThread, Progress};
use super::frame::Frame;
use super::source::{Mode, Source, SourceError};

/// How long to wait before a camera that failed is tried again. USB devices take about as long to come back.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Why there is no picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutageCause {
    /// The device is not there.
    NotFound,
    /// Another program uses it.
    Busy,
    /// This user may not use it.
    AccessDenied,
    /// It is not a camera, or has no format that can be served.
    Unsupported,
    /// It is open and silent.
    Stalled,
    /// Anything else.
    Failed,
}

/// A time without pictures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outage {
    /// The kind of failure.
    pub cause: OutageCause,
    /// One line for a person: what is wrong and what to do.
    pub message: Arc<str>,
}

impl From<&CaptureError> for Outage {
    fn from(error: &CaptureError) -> Self {
        let cause = match error {
            CaptureError::Source(SourceError::NotFound { .. } | SourceError::Gone { .. }) => OutageCause::NotFound,
            CaptureError::Source(SourceError::Busy { .. }) => OutageCause::Busy,
            CaptureError::Source(SourceError::AccessDenied { .. }) => OutageCause::AccessDenied,
            CaptureError::Source(SourceError::NotCamera { .. } | SourceError::NoMjpg { .. }) => {
                OutageCause::Unsupported
            }
            CaptureError::Source(SourceError::Stalled { .. }) => OutageCause::Stalled,
            _ => OutageCause::Failed,
        };
        Self { cause, message: error.to_string().into() }
    }
}

/// What a camera is doing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum State {
    /// Closed, because nobody reads it.
    #[default]
    Idle,
    /// Being opened, or open without a picture so far.
    Starting,
    /// Open and giving frames.
    Live,
    /// Without pictures, and tried again and again.
    Lost(Outage),
}

/// A camera at one moment.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// What it is doing.
    pub state: State,
    /// How it last streamed; none until it was open for the first time.
    pub mode: Option<Mode>,
    /// The newest frame; none while the camera is closed, and until its first.
    pub frame: Option<Arc<Frame>>,
}

/// One camera, shared by everyone who reads it.
pub struct Camera {
    name: String,
    source: Arc<dyn Source>,
    /// What readers wait on. The supervisor alone writes it.
    status: watch::Sender<Status>,
    /// How many feeds there are. The supervisor waits on it.
    readers: watch::Sender<usize>,
}

impl Camera {
    /// A closed camera. It opens only while its [`supervise`](Self::supervise) runs.
    pub fn new(name: String, source: Arc<dyn Source>) -> Self {
        Self { name, source, status: watch::Sender::default(), readers: watch::Sender::default() }
    }

    /// Its name, unique among the cameras.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line for a person: what it is and where.
    pub fn description(&self) -> String {
        self.source.description()
    }

    /// What it is doing now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Become a reader. The camera is open from here until `linger` after its last reader is dropped.
    pub fn feed(self: &Arc<Self>) -> Feed {
        self.readers.send_modify(|readers| *readers += 1);
        let status = self.status.subscribe();
        let given = {
            let status = status.borrow();
            // The last frame of a camera that is lost is for those who were there: it may be of long ago.
            let is_lost = matches!(status.state, State::Lost(_));
            status.frame.as_ref().filter(|_| is_lost).map(|frame| frame.sequence)
        };
        Feed { camera: self.clone(), status, given }
    }

    /// Run this camera until the future is dropped: open it for its first reader, close it when it has been
    /// without readers for `linger`, and open it again after failures for as long as it is read.
    ///
    /// Dropping the future tells the capture thread to end.
    pub async fn supervise(self: Arc<Self>, linger: Duration) {
        let mut next_sequence = 0;
        loop {
            let mut readers = self.readers.subscribe();
            // The sender is in `self`, so waiting can't fail.
            let _ = readers.wait_for(|readers| *readers > 0).await;
            let mut idle = Box::pin(idle(readers, linger));
            self.status.send_modify(|status| status.state = State::Starting);
            // Opened anew after each failure, until nobody reads any more.
            let was_open = loop {
                match self.run(idle.as_mut(), &mut next_sequence).await {
                    Ok(was_open) => break was_open,
                    Err(error) => self.lose(&error),
                }
                tokio::select! {
                    () = &mut idle => break false,
                    () = sleep(RETRY_PAUSE) => {}
                }
            };
            // A reader who comes now starts with a fresh picture and not with one of a while ago.
            self.status.send_modify(|status| {
                status.state = State::Idle;
                status.frame = None;
            });
            if was_open {
                info!("camera {}: closed, nobody watches", self.name);
            }
        }
    }

    /// Open the camera once and pass its frames on. Ends well, with the camera closed, when `idle` does, and
    /// tells whether the camera was open by then; ends with an error when the camera fails. Frames are
    /// numbered from `next_sequence`, which is left behind the last of them.
    async fn run(
        &self,
        mut idle: Pin<&mut impl Future<Output = ()>>,
        next_sequence: &mut u64,
    ) -> Result<bool, CaptureError> {
        let mut thread = CaptureThread::start(&self.name, self.source.clone(), *next_sequence)?;
        let mut is_open = false;
        loop {
            tokio::select! {
                () = &mut idle => {
                    thread.stop().await;
                    return Ok(is_open);
                }
                // Fails when the thread has ended and all it had to tell has been seen.
                changed = thread.progress.changed() => match changed {
                    Ok(()) => {
                        let progress = thread.progress.borrow_and_update().clone();
                        // The first frame may have overtaken the news that the camera is open.
                        if let (false, Some(mode)) = (is_open, progress.mode()) {
                            info!("camera {}: open, {mode}", self.name);
                            is_open = true;
                        }
                        if let Progress::Frame(_, frame) = &progress {
                            *next_sequence = frame.sequence + 1;
                        }
                        self.publish(progress);
                    }
                    Err(_) => return Err(thread.failed().await),
                }
            }
        }
    }

    /// Show all readers what the capture thread came to.
    fn publish(&self, progress: Progress) {
        match progress {
            Progress::Opening => {}
            Progress::Open(mode) => self.status.send_modify(|status| status.mode = Some(mode)),
            Progress::Frame(mode, frame) => {
                self.status.send_modify(|status| {
                    status.state = State::Live;
                    status.mode = Some(mode);
                    status.frame = Some(frame);
                });
            }
        }
    }

    /// Show all readers that the camera failed. The last frame stays for them to show meanwhile.
    fn lose(&self, error: &CaptureError) {
        let lost = State::Lost(Outage::from(error));
        // The same cause over and over is said once.
        if self.status.borrow().state != lost {
            warn!("camera {}: {error}; trying again until it works", self.name);
        }
        self.status.send_modify(|status| status.state = lost);
    }
}

/// Wait until there have been no readers for `linger`.
async fn idle(mut readers: watch::Receiver<usize>, linger: Duration) {
    loop {
        let _ = readers.wait_for(|readers| *readers == 0).await;
        if timeout(linger, readers.wait_for(|readers| *readers > 0)).await.is_err() {
            return;
        }
    }
}

/// One reader's place in the frames of one camera. While there is one, the camera is open.
pub struct Feed {
    camera: Arc<Camera>,
    status: watch::Receiver<Status>,
    /// The number of the last frame that was given.
    given: Option<u64>,
}

impl Feed {
    /// The camera that is read.
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// The newest frame, if this feed has not given it yet. Does not block.
    pub fn newest(&mut self) -> Option<Arc<Frame>> {
        let status = self.status.borrow_and_update();
        let frame = status.frame.as_ref().filter(|frame| Some(frame.sequence) != self.given)?;
        self.given = Some(frame.sequence);
        Some(frame.clone())
    }

    /// Wait until [`newest`](Self::newest) has a frame to give. Cancel-safe.
    pub async fn ready(&mut self) {
        let given = self.given;
        let is_new = |status: &Status| status.frame.as_ref().is_some_and(|frame| Some(frame.sequence) != given);
        // The sender is in `self.camera`, so waiting can't fail.
        let _ = self.status.wait_for(is_new).await;
    }

    /// Wait for a frame to give, but not longer than `limit`, and not beyond the moment in which the camera
    /// becomes lost. Cancel-safe.
    pub async fn next(&mut self, limit: Duration) -> Option<Arc<Frame>> {
        let given = self.given;
        let was_lost = matches!(self.status.borrow().state, State::Lost(_));
        let is_worth_waking = |status: &Status| {
            status.frame.as_ref().is_some_and(|frame| Some(frame.sequence) != given)
                || (!was_lost && matches!(status.state, State::Lost(_)))
        };
        let _ = timeout(limit, self.status.wait_for(is_worth_waking)).await;
        self.newest()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.camera.readers.send_modify(|readers| *readers = readers.saturating_sub(1));
    }
}

/// All cameras of the host, in the order in which they were given. Never empty.
#[derive(Clone)]
pub struct Cameras {
    all: Arc<[Arc<Camera>]>,
}

impl Cameras {
    /// These cameras.
    pub fn new(cameras: Vec<Camera>) -> Self {
        Self { all: cameras.into_iter().map(Arc::new).collect() }
    }

    /// The camera of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Camera>> {
        self.iter().find(|camera| camera.name() == name)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Camera>> {
        self.all.iter()
    }
}
