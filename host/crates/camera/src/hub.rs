//! The hub: one camera shared by everyone who reads it.
//!
//! Each camera has a supervisor, a task that waits for a first reader, starts the capture thread, passes its
//! frames on, and stops it some time after the last reader has gone. Readers ([`Feed`]) wait on one shared
//! slot that holds the camera's [`Status`] with its newest frame. Nothing queues: a reader that comes late
//! finds the newest frame, and the camera never waits for anyone.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, watch};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::capture::{CaptureError, CaptureThread, Progress};
use super::controls::{Control, ControlError};
use super::dimensions::Dimensions;
use super::error::SourceError;
use super::feed::Feed;
use super::frame::Frame;
use super::history::FrameRecord;
use super::placeholder;
use super::record::Record;
use super::source::{Source, StreamMode};
use super::status::{FrameCounts, Outage, State, Status};

/// How long to wait before a camera that failed is tried again: at first about as long as USB devices take to come
/// back, then longer, since opening a device that does not work may keep a bus busy.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a device may take to be opened before its readers are told that it does not answer. The kernel gives up on
/// a USB device's answer after 5 seconds; opening takes several of them.
const OPENING: Duration = Duration::from_secs(6);

/// The size of the picture that says why there is none, for a camera that never gave any.
const UNKNOWN_SIZE: Dimensions = Dimensions { width: 640, height: 480 };

/// How long a camera stays open without readers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Linger {
    /// So long after the last.
    For(Duration),
    /// For ever, and it is opened before the first.
    Always,
}

/// One camera, shared by everyone who reads it.
pub struct Camera {
    name: String,
    /// What to call it on pages, if that is not its name.
    label: Option<String>,
    source: Arc<dyn Source>,
    /// What readers wait on. The supervisor alone writes it.
    status: watch::Sender<Status>,
    /// How many feeds there are. The supervisor waits on it.
    readers: watch::Sender<usize>,
    record: Arc<Record>,
    linger: Linger,
    control_turn: Arc<AsyncMutex<()>>,
    /// Grows whenever the state or the mode changes, of this camera or another of [`Cameras`].
    news: Arc<watch::Sender<u64>>,
}

impl Camera {
    /// A closed camera. It opens only while its [`supervise`](Self::supervise) runs.
    pub fn new(name: String, source: Arc<dyn Source>, linger: Linger) -> Self {
        // Replaced by one that it shares with others.
        let news = Arc::default();
        Self {
            name,
            label: None,
            source,
            status: watch::Sender::default(),
            readers: watch::Sender::default(),
            record: Arc::default(),
            linger,
            control_turn: Arc::default(),
            news,
        }
    }

    /// The same camera with this display name, if there is one.
    pub fn with_label(self, label: Option<String>) -> Self {
        Self { label, ..self }
    }

    /// What to call it on pages: its display name, or else its name. It may hold any characters but control characters.
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.name)
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

    /// How many frames it gave and lost since the host began.
    pub fn counts(&self) -> FrameCounts {
        self.record.counts()
    }

    /// Up to `limit` of its last frames, oldest first: those from index `first` on, or from the oldest that is
    /// remembered if that is later.
    pub fn history(&self, first: u64, limit: usize) -> Vec<FrameRecord> {
        self.record.history(first, limit)
    }

    /// To be held while its controls are read or set, by those who have threads to spare for it: a device that does not
    /// answer shall keep no more than one of them.
    pub async fn lock_controls(&self) -> OwnedMutexGuard<()> {
        self.control_turn.clone().lock_owned().await
    }

    /// What can be set on it. Blocks for as long as the device takes to answer.
    pub fn controls(&self) -> Result<Vec<Control>, SourceError> {
        self.source.controls()
    }

    /// Set the control of this name, now and for as long as the host runs. Returns what the device made of the value.
    /// Blocks for as long as the device takes to answer.
    pub fn set_control(&self, name: &str, value: i64) -> Result<i64, ControlError> {
        let set = self.source.set_control(name, value)?;
        info!(camera = self.name, "{name} is {set}");
        Ok(set)
    }

    /// Become a reader. The camera is open from here until it has been without readers for as long as it lingers.
    pub fn feed(self: &Arc<Self>) -> Feed {
        self.readers.send_modify(|readers| *readers += 1);
        Feed::new(self.clone(), self.status.subscribe())
    }

    /// A feed is gone.
    pub(super) fn one_reader_less(&self) {
        self.readers.send_modify(|readers| *readers = readers.saturating_sub(1));
    }

    /// Run this camera until the future is dropped: open it for its first reader, close it when it has been
    /// without readers for long enough, and open it again after failures for as long as it is read.
    ///
    /// Dropping the future tells the capture thread to end.
    pub async fn supervise(self: Arc<Self>) {
        let mut arrivals = self.source.arrivals();
        let mut memory = Memory::default();
        loop {
            let mut readers = self.readers.subscribe();
            if self.linger != Linger::Always {
                // The sender is in `self`, so waiting can't fail.
                let _ = readers.wait_for(|readers| *readers > 0).await;
            }
            let mut idle = Box::pin(idle(readers, self.linger));
            self.change(|status| status.state = State::Starting);
            let mut pause = FIRST_PAUSE;
            // Opened anew after each failure, until nobody reads any more.
            let was_open = loop {
                match self.run(idle.as_mut(), &mut memory).await {
                    Ok(was_open) => break was_open,
                    Err(error) => {
                        if self.status.borrow().state == State::Live {
                            pause = FIRST_PAUSE;
                        }
                        self.lose(&error, &mut memory).await;
                    }
                }
                tokio::select! {
                    () = &mut idle => break false,
                    () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                    () = arrival(&mut arrivals) => pause = FIRST_PAUSE,
                }
            };
            self.rest();
            if was_open {
                info!(camera = self.name, "closed, nobody watches; in all {}", self.counts());
            }
        }
    }

    /// Open the camera once and pass its frames on. Ends well, with the camera closed, when `idle` does, and
    /// tells whether the camera was open by then; ends with an error when the camera fails.
    async fn run(
        &self,
        mut idle: Pin<&mut impl Future<Output = ()>>,
        memory: &mut Memory,
    ) -> Result<bool, CaptureError> {
        let mut thread =
            CaptureThread::start(&self.name, self.source.clone(), self.record.clone(), self.readers.subscribe())?;
        let mut is_open = false;
        let mut is_said = false;
        let mut is_told = false;
        let mut opening = Box::pin(sleep(OPENING));
        loop {
            tokio::select! {
                () = &mut idle => {
                    self.close(thread, memory).await;
                    return Ok(is_open);
                }
                // The thread is still at it, and will be for as long as the device keeps it.
                () = &mut opening, if !is_open && !is_told => {
                    self.lose(&CaptureError::Silent(OPENING), memory).await;
                    is_told = true;
                }
                // Fails when the thread has ended and all it had to tell has been seen.
                changed = thread.progress.changed() => match changed {
                    Ok(()) => {
                        let progress = thread.progress.borrow_and_update().clone();
                        is_open = progress.mode().is_some();
                        let works = matches!(progress, Progress::Frame(..) | Progress::Unseen(_));
                        // One that was lost is open when it gives pictures again; until then it is being tried.
                        if let Some(mode) = progress.mode()
                            && !is_said
                            && (works || memory.said.is_none())
                        {
                            info!(camera = self.name, "opened at {mode}");
                            is_said = true;
                        }
                        if works {
                            memory.said = None;
                        }
                        self.publish(progress);
                    }
                    Err(_) => return Err(thread.failed().await),
                }
            }
        }
    }

    /// End the capture thread, which takes as long as the device does. Who comes meanwhile waits for that, and is told
    /// if it does not end.
    async fn close(&self, thread: CaptureThread, memory: &mut Memory) {
        self.rest();
        let mut stopping = Box::pin(thread.stop());
        loop {
            tokio::select! {
                () = &mut stopping => return,
                () = sleep(OPENING) => {
                    if *self.readers.borrow() > 0 {
                        self.lose(&CaptureError::Silent(OPENING), memory).await;
                    }
                }
            }
        }
    }

    /// The camera is closed. A reader who comes now starts with a fresh picture and not with one of a while ago.
    fn rest(&self) {
        self.change(|status| *status = Status { mode: status.mode, ..Status::default() });
    }

    /// Show all readers what the capture thread came to.
    fn publish(&self, progress: Progress) {
        match progress {
            Progress::Opening => {}
            Progress::Open(mode) => self.change(|status| {
                status.mode = Some(mode);
                status.frame = None;
            }),
            Progress::Unseen(mode) => self.live(mode, None),
            Progress::Frame(mode, frame) => self.live(mode, Some(frame)),
        }
    }

    /// Show all readers that the camera works, with its newest frame if one was made.
    fn live(&self, mode: StreamMode, frame: Option<Arc<Frame>>) {
        self.change(|status| {
            *status = Status { state: State::Live, mode: Some(mode), frame, placeholder: None };
        });
    }

    /// Change what readers see; it is news to others as well where it is more than another frame.
    fn change(&self, change: impl FnOnce(&mut Status)) {
        let mut is_news = false;
        self.status.send_modify(|status| {
            let before = (status.state.clone(), status.mode);
            change(status);
            is_news = (&before.0, before.1) != (&status.state, status.mode);
        });
        if is_news {
            self.news.send_modify(|news| *news += 1);
        }
    }

    /// Show all readers that the camera failed, and a picture that says so.
    async fn lose(&self, error: &CaptureError, memory: &mut Memory) {
        let outage = Outage::from(error);
        // The same cause over and over is said once.
        if memory.said.as_ref() != Some(&outage) {
            warn!(camera = self.name, "{error}; trying again until it works");
            memory.said = Some(outage.clone());
        }
        let lost = State::Lost(outage.clone());
        if self.status.borrow().state == lost {
            return;
        }
        let size = self.status.borrow().mode.map_or(UNKNOWN_SIZE, |mode| mode.dimensions);
        let name = self.name.clone();
        let drawn = spawn_blocking(move || placeholder::draw(size, &name, &outage.message)).await;
        let placeholder = drawn.unwrap_or_default();
        self.change(|status| {
            *status = Status { state: lost, mode: status.mode, frame: None, placeholder };
        });
    }
}

/// What a camera's supervisor remembers from one opening to the next.
#[derive(Default)]
struct Memory {
    /// The failure that the log was told of last; none since there was a picture.
    said: Option<Outage>,
}

/// Wait until there have been no readers for as long as the camera lingers.
async fn idle(mut readers: watch::Receiver<usize>, linger: Linger) {
    let Linger::For(linger) = linger else { return std::future::pending().await };
    loop {
        let _ = readers.wait_for(|readers| *readers == 0).await;
        if timeout(linger, readers.wait_for(|readers| *readers > 0)).await.is_err() {
            return;
        }
    }
}

/// Wait until it is worth trying at once. Never, where nothing tells.
async fn arrival(arrivals: &mut Option<watch::Receiver<()>>) {
    /// A node appears before its permissions are set, and one plug makes several nodes.
    const SETTLE: Duration = Duration::from_millis(100);
    if let Some(news) = arrivals
        && news.changed().await.is_ok()
    {
        sleep(SETTLE).await;
        news.mark_unchanged();
    } else {
        std::future::pending().await
    }
}

/// All cameras of the host, in the order in which they were given. Never empty.
#[derive(Clone)]
pub struct Cameras {
    all: Arc<[Arc<Camera>]>,
    news: Arc<watch::Sender<u64>>,
}

impl Cameras {
    /// These cameras.
    pub fn new(cameras: Vec<Camera>) -> Self {
        let news = Arc::default();
        let all = cameras.into_iter().map(|camera| Arc::new(Camera { news: Arc::clone(&news), ..camera })).collect();
        Self { all, news }
    }

    /// Changes whenever the state or the mode of any of them does.
    pub fn state_changes(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
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
