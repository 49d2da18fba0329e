//! A camera, shared by all its readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, watch};
use tracing::info;

use super::controls::{Control, ControlError};
use super::error::SourceError;
use super::filter::{Filter, FilterReport};
use super::filtering::Filters;
use super::frame::{Frame, monotonic_now};
use super::frame_counts::FrameCounts;
use super::frame_tracker::FrameTracker;
use super::history::FrameRecord;
use super::memory::Memory;
use super::source::Source;
use super::status::Status;

/// How long a camera stays open without readers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Linger {
    /// For this long after the last reader has left.
    For(Duration),
    /// Forever; the camera opens at once and never closes.
    Always,
}

/// A camera, shared by all its readers.
///
/// Readers wait on one slot that holds the camera's [`Status`] with its newest frame. Nothing queues: a slow reader
/// skips to the newest frame, and the camera never waits for a reader.
pub struct Camera {
    pub(super) name: String,
    label: Option<String>,
    pub(super) source: Arc<dyn Source>,
    pub(super) filters: Arc<Filters>,
    /// Written only by the supervisor; readers wait on it.
    pub(super) status: watch::Sender<Status>,
    /// The number of feeds. Notifies the supervisor of the first and the last one only: it may belong to another
    /// runtime, and then each notification costs a system call and two context switches.
    pub(super) readers: watch::Sender<usize>,
    pub(super) tracker: Arc<FrameTracker>,
    pub(super) memory: Memory,
    pub(super) linger: Linger,
    openings: AtomicU64,
    controls: Arc<AsyncMutex<()>>,
    /// Whether the host has removed the camera.
    removed: watch::Sender<bool>,
    /// Incremented when the state or the mode changes. [`Cameras`](super::Cameras) shares one among all cameras.
    state_changes: Arc<watch::Sender<u64>>,
}

impl Camera {
    /// Creates a closed camera. It opens only while [`supervise`](Self::supervise) runs.
    pub fn new(name: String, source: Arc<dyn Source>, linger: Linger) -> Self {
        Self {
            name,
            label: None,
            source,
            filters: Arc::default(),
            status: watch::Sender::default(),
            readers: watch::Sender::default(),
            tracker: Arc::default(),
            memory: Memory::default(),
            linger,
            openings: AtomicU64::new(0),
            controls: Arc::default(),
            removed: watch::Sender::default(),
            state_changes: Arc::default(),
        }
    }

    /// Sets the display name.
    pub fn with_label(self, label: Option<String>) -> Self {
        Self { label, ..self }
    }

    /// Remembers each frame for this long, within the limit on [`memory`](super::memory). Zero remembers nothing.
    pub fn with_memory(self, duration: Duration) -> Self {
        Self { memory: Memory::new(duration), ..self }
    }

    /// Lets all frames pass these filters, in this order. Readers get nothing else.
    pub fn with_filters(self, filters: Vec<Arc<dyn Filter>>) -> Self {
        Self { filters: Arc::new(Filters::new(filters)), ..self }
    }

    /// Counts state changes with this sender.
    pub(super) fn with_state_changes(self, state_changes: Arc<watch::Sender<u64>>) -> Self {
        Self { state_changes, ..self }
    }

    /// The display name, or the name if there is none. It may contain anything but control characters.
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.name)
    }

    /// The name, unique among the cameras.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Describes the camera in a single line for people: what it is and where, and its filters.
    pub fn description(&self) -> String {
        let filters = self.filters.descriptions().map(|filter| format!(", filtered by {filter}"));
        self.source.description() + &filters.collect::<String>()
    }

    /// Removes the camera: [`supervise`](Self::supervise) closes it and returns, its feeds get no more frames, and
    /// other cameras can have its device.
    pub fn remove(&self) {
        self.source.release();
        self.removed.send_replace(true);
    }

    /// Whether the camera was removed.
    pub fn is_removed(&self) -> bool {
        *self.removed.borrow()
    }

    /// Waits until the camera is removed.
    pub fn removed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut removed = self.removed.subscribe();
        async move {
            // Fails if the camera is gone, which counts as removed.
            let _ = removed.wait_for(|removed| *removed).await;
        }
    }

    /// Returns the present status.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Returns the filters and what they cost, in the order in which frames pass them.
    pub fn filters(&self) -> Vec<FilterReport> {
        self.filters.reports()
    }

    /// Returns how many frames the camera delivered and lost since the host started.
    pub fn counts(&self) -> FrameCounts {
        self.tracker.counts()
    }

    /// Returns the rate of the frames of the last seconds, in frames per second.
    pub fn rate(&self) -> f64 {
        self.tracker.rate(monotonic_now())
    }

    /// Returns how many readers the camera has.
    pub fn readers(&self) -> usize {
        *self.readers.borrow()
    }

    /// Counts a feed.
    pub(super) fn add_reader(&self) {
        self.readers.send_if_modified(|readers| {
            *readers += 1;
            *readers == 1
        });
    }

    /// Stops counting a feed.
    pub(super) fn remove_reader(&self) {
        self.readers.send_if_modified(|readers| {
            *readers = readers.saturating_sub(1);
            *readers == 0
        });
    }

    /// Returns how many times the device was opened since the host started.
    pub fn openings(&self) -> u64 {
        self.openings.load(Ordering::Relaxed)
    }

    /// Counts an opening of the device.
    pub(super) fn add_opening(&self) {
        self.openings.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns up to `limit` records of past frames, oldest first, starting at index `first` or at the oldest record,
    /// whichever is later.
    pub fn history(&self, first: u64, limit: usize) -> Vec<FrameRecord> {
        self.tracker.history(first, limit)
    }

    /// Returns the record of the frame with this number, if it was delivered and is still in the history.
    pub fn record_of(&self, sequence: u64) -> Option<FrameRecord> {
        self.tracker.record_of(sequence)
    }

    /// Returns the frame with this number if it is the newest or remembered. Does not open the camera.
    pub fn frame(&self, sequence: u64) -> Option<Arc<Frame>> {
        let newest = self.status.borrow().frame.clone();
        newest.filter(|frame| frame.sequence == sequence).or_else(|| self.memory.get(sequence))
    }

    /// Locks the controls. Hold this lock on a thread pool while reading or setting controls, so that an unresponsive
    /// device blocks at most one of the pool's threads.
    pub async fn lock_controls(&self) -> OwnedMutexGuard<()> {
        self.controls.clone().lock_owned().await
    }

    /// Lists the controls. Blocks for as long as the device takes to respond.
    pub fn controls(&self) -> Result<Vec<Control>, SourceError> {
        self.source.controls()
    }

    /// Sets a control now and whenever the camera is opened. Returns the value that the device accepted. Blocks for as
    /// long as the device takes to respond.
    pub fn set_control(&self, name: &str, value: i64) -> Result<i64, ControlError> {
        let value = self.source.set_control(name, value)?;
        // For the log of the program, which may keep a record of who changed what.
        info!(target: "audit", camera = self.name, "set {name} to {value}");
        Ok(value)
    }

    /// Changes the status. Signals a state change if more than the frame changed.
    pub(super) fn update_status(&self, update: impl FnOnce(&mut Status)) {
        let mut is_state_change = false;
        self.status.send_modify(|status| {
            let before = (status.state.clone(), status.mode);
            update(status);
            is_state_change = (&before.0, before.1) != (&status.state, status.mode);
        });
        if is_state_change {
            self.state_changes.send_modify(|changes| *changes += 1);
        }
    }
}
