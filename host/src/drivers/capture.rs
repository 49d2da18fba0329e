//! A camera that a driver has open.
//!
//! The driver runs on the camera's capture thread, in the Tokio runtime of its camera, while the thread waits for the next
//! image. So it can take no time from any other camera or from the server's tasks.
//!
//! When the driver is replaced, its successor starts beside it and takes over with its first picture. If the successor
//! fails before that, viewers notice nothing.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{timeout, timeout_at};
use tracing::debug;

use super::inputs::Inputs;
use super::runtime::DriverRuntime;
use super::slots::DriverSlot;
use crate::camera::image_input::NewestImage;
use crate::camera::source::CaptureOutcome;
use crate::camera::{Capture, Outage, OutageCause, SourceError, StreamMode};
use crate::sandbox::{CameraComponent as _, DriverError, DriverRun, DriverSettings, LoadedDriver};
use crate::swap::Opening;

/// How long a driver may take to end when its camera closes. Closing is noticed within a fifth of a second as well, and
/// the next viewer may be waiting.
const CLOSE_TIME: Duration = Duration::from_millis(250);

/// The most instances of a camera at a time: the driver that runs, its successor, and its predecessor while it ends.
pub const MAX_DRIVER_INSTANCES: u32 = 3;

/// What all openings of a camera share.
pub(super) struct Shared {
    pub(super) slot: DriverSlot,
    pub(super) settings: DriverSettings,
    pub(super) inputs: Inputs,
    pub(super) runtime: DriverRuntime,
}

/// A camera that a driver has open.
pub(super) struct DriverCapture {
    shared: Arc<Shared>,
    running: Running,
    /// The driver of a newer generation, until its first picture.
    successor: Option<Running>,
    /// The driver before this one, until it has ended or its time is over.
    retiring: Option<(DriverRun, Instant)>,
    /// Changes when the driver is replaced.
    changes: watch::Receiver<()>,
    /// Why the camera has failed, once the frames lost before that were reported.
    failed: Option<SourceError>,
}

/// A running driver, and its generation.
struct Running {
    opening: Opening<LoadedDriver>,
    run: DriverRun,
}

impl DriverCapture {
    /// Starts the current driver of a camera.
    pub(super) fn open(shared: Arc<Shared>) -> Result<Self, SourceError> {
        let mut changes = shared.slot.changes();
        changes.mark_unchanged();
        shared.runtime.start().map_err(SourceError::External)?;
        let running = Running::start_current(&shared).map_err(SourceError::External)?;
        Ok(Self { shared, running, successor: None, retiring: None, changes, failed: None })
    }

    /// Starts the driver of a newer generation beside the one that runs.
    fn follow_changes(&mut self) {
        if !self.changes.has_changed().unwrap_or(false) {
            return;
        }
        self.changes.mark_unchanged();
        let newest = self.successor.as_ref().unwrap_or(&self.running);
        if self.shared.slot.generation() == Some(newest.opening.number()) {
            // It was the first one, which this camera has loaded.
            return;
        }
        let Ok(opening) = self.shared.slot.open() else { return };
        let is_same = |running: &Running| running.component_is(&opening);
        if is_same(&self.running) {
            // A rollback to what runs.
            if self.running.run.mode().is_some() {
                opening.record_picture();
            }
            self.running.opening = opening;
            self.successor = None;
        } else if let Some(successor) = self.successor.as_mut().filter(|successor| is_same(successor)) {
            successor.opening = opening;
        } else {
            self.successor = Some(Running::start(&self.shared, opening));
        }
    }

    /// Runs the drivers until one has an image or has ended, or until the deadline.
    fn run_until(&mut self, deadline: Instant) {
        let Self { shared, running, successor, retiring, .. } = self;
        let Some(runtime) = shared.runtime.get() else { return };
        let run = poll_fn(|context| {
            if let Some((run, _)) = retiring {
                let _ = run.poll(context);
            }
            // A successor that computes must not delay an image that is there.
            if running.run.poll(context).is_ready() {
                return Poll::Ready(());
            }
            successor.as_mut().map_or(Poll::Pending, |successor| successor.run.poll(context))
        });
        // An expired deadline is not an error.
        let _ = runtime.block_on(async { timeout_at(deadline.into(), run).await });
        // Only now, so that it was polled at least once after it was told to end.
        retiring.take_if(|(run, until)| run.has_ended() || *until < Instant::now());
    }

    /// Lets the successor take over if it has a picture. Returns the picture, if there is one, and the frames lost before
    /// it.
    fn take_from_successor(&mut self) -> CaptureOutcome {
        let Some(mut successor) = self.successor.take() else { return CaptureOutcome::default() };
        let mut outcome = successor.run.take();
        if outcome.image.is_some() {
            successor.opening.record_picture();
            std::mem::swap(&mut self.running, &mut successor);
            let replaced = successor.run;
            outcome.lost += replaced.take_lost();
            replaced.close();
            self.retiring = Some((replaced, Instant::now() + CLOSE_TIME));
        } else if let Some(error) = successor.run.failure() {
            let has_rolled_back = self.shared.slot.record_failure(&successor.opening, &reason(&error));
            // Otherwise another driver is current, which is started next.
            if !has_rolled_back {
                debug!(
                    camera = self.shared.slot.camera(),
                    "a replaced driver {}, before its first picture",
                    reason(&error)
                );
            }
        } else {
            self.successor = Some(successor);
        }
        outcome
    }
}

impl Capture for DriverCapture {
    fn mode(&self) -> Option<StreamMode> {
        self.running.run.mode()
    }

    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.follow_changes();
        self.run_until(deadline);
        let of_successor = self.take_from_successor();
        if of_successor.image.is_some() {
            return Ok(of_successor);
        }
        let mut outcome = self.running.run.take();
        outcome.lost += of_successor.lost;
        if outcome.image.is_some() {
            self.running.opening.record_picture();
            return Ok(outcome);
        }
        let Some(error) = self.running.run.failure() else { return Ok(outcome) };
        if let Some(successor) = self.successor.take() {
            self.running = successor;
        } else if self.shared.slot.record_failure(&self.running.opening, &reason(&error)) {
            self.changes.mark_unchanged();
            self.running = Running::start_current(&self.shared).map_err(SourceError::External)?;
        } else {
            self.failed = Some(SourceError::External(outage(&error, &self.running)));
        }
        Ok(outcome)
    }
}

impl Drop for DriverCapture {
    fn drop(&mut self) {
        let Self { shared, running, successor, retiring, .. } = self;
        let Some(runtime) = shared.runtime.get() else { return };
        let mut runs: Vec<_> =
            [Some(running), successor.as_mut()].into_iter().flatten().map(|one| &mut one.run).collect();
        runs.iter().for_each(|run| run.close());
        runs.extend(retiring.as_mut().map(|(run, _)| run));
        let ended = poll_fn(|context| {
            for run in &mut runs {
                let _ = run.poll(context);
            }
            if runs.iter().all(|run| run.has_ended()) { Poll::Ready(()) } else { Poll::Pending }
        });
        let _ = runtime.block_on(async { timeout(CLOSE_TIME, ended).await });
    }
}

impl Running {
    fn start(shared: &Shared, opening: Opening<LoadedDriver>) -> Self {
        let Shared { slot, settings, inputs, .. } = shared;
        let component = opening.component();
        let newest = NewestImage::new(slot.camera().to_owned(), &inputs.of(&component.identity().digest));
        let run = DriverRun::start(slot.sandbox(), component, settings, newest);
        Self { opening, run }
    }

    /// Starts the current driver.
    fn start_current(shared: &Shared) -> Result<Self, Outage> {
        Ok(Self::start(shared, shared.slot.open()?))
    }

    /// Whether this is the component of that opening.
    fn component_is(&self, opening: &Opening<LoadedDriver>) -> bool {
        self.opening.component().identity().digest == opening.component().identity().digest
    }
}

/// What the driver did, as the end of a sentence.
fn reason(error: &DriverError) -> String {
    match error {
        DriverError::Reported(reason) => format!("reported: {reason}"),
        error => error.to_string(),
    }
}

/// What viewers learn.
fn outage(error: &DriverError, running: &Running) -> Outage {
    let cause = match error {
        DriverError::Silent { .. } => OutageCause::Stalled,
        _ => OutageCause::Failed,
    };
    let message = match error {
        DriverError::Reported(reason) => reason.clone(),
        error => format!("{} {error}", running.opening.component().identity().origin),
    };
    Outage { cause, message: message.into() }
}
