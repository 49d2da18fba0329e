//! A camera that a driver has open.
//!
//! The driver runs on the camera's capture thread, in a Tokio runtime of its own, while the thread waits for the next
//! image. So it can take no time from any other camera or from the server's tasks, and nothing that it does outlasts the
//! camera.
//!
//! When the driver is replaced, its successor starts beside it and takes over with its first picture. If the successor
//! fails before that, viewers notice nothing.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::{timeout, timeout_at};
use tracing::debug;

use super::slots::DriverSlot;
use crate::camera::image_input::{InputState, NewestImage};
use crate::camera::source::CaptureOutcome;
use crate::camera::{Capture, Outage, OutageCause, SourceError, StreamMode};
use crate::sandbox::{CameraComponent as _, DriverError, DriverRun, DriverSettings, LoadedDriver};
use crate::swap::Opening;

/// How long a driver may take to end when its camera closes. Closing is noticed within a fifth of a second as well, and
/// the next viewer may be waiting.
const CLOSE_TIME: Duration = Duration::from_millis(250);

/// How many threads there may be for calls that block, such as reading files. A driver waits for each, so one would do
/// for each instance.
const MAX_BLOCKING_THREADS: usize = 2;

/// The most instances of a camera at a time: the driver that runs, its successor, and its predecessor while it ends.
pub const MAX_DRIVER_INSTANCES: u32 = 3;

/// A camera that a driver has open.
pub(super) struct DriverCapture {
    slot: DriverSlot,
    settings: Arc<DriverSettings>,
    input: InputState,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
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
    /// Starts the current driver of a slot.
    pub(super) fn open(
        slot: DriverSlot,
        settings: Arc<DriverSettings>,
        input: InputState,
    ) -> Result<Self, SourceError> {
        let mut changes = slot.changes();
        changes.mark_unchanged();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(MAX_BLOCKING_THREADS)
            .thread_name("driver-files")
            .build()
            .map_err(|error| {
                let message = format!("cannot start the driver: {error}").into();
                SourceError::External(Outage { cause: OutageCause::Failed, message })
            })?;
        let running = start(&slot, &settings, &input).map_err(SourceError::External)?;
        Ok(Self {
            slot,
            settings,
            input,
            runtime: Some(runtime),
            running,
            successor: None,
            retiring: None,
            changes,
            failed: None,
        })
    }

    /// Starts the driver of a newer generation beside the one that runs.
    fn follow_changes(&mut self) {
        if !self.changes.has_changed().unwrap_or(false) {
            return;
        }
        self.changes.mark_unchanged();
        let Ok(opening) = self.slot.open() else { return };
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
            self.successor = Some(Running::start(&self.slot, opening, &self.settings, &self.input));
        }
    }

    /// Runs the drivers until one has an image or has ended, or until the deadline.
    fn run_until(&mut self, deadline: Instant) {
        let Self { runtime: Some(runtime), running, successor, retiring, .. } = self else { return };
        let run = poll_fn(|context| {
            let mut polled = running.run.poll(context);
            if let Some(successor) = successor
                && successor.run.poll(context).is_ready()
            {
                polled = Poll::Ready(());
            }
            if let Some((run, _)) = retiring {
                let _ = run.poll(context);
            }
            polled
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
            let has_rolled_back = self.slot.record_failure(&successor.opening, &reason(&error));
            // Otherwise another driver is current, which is started next.
            if !has_rolled_back {
                debug!(camera = self.slot.camera(), "a replaced driver {}, before its first picture", reason(&error));
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
        } else if self.slot.record_failure(&self.running.opening, &reason(&error)) {
            self.changes.mark_unchanged();
            self.running = start(&self.slot, &self.settings, &self.input).map_err(SourceError::External)?;
        } else {
            self.failed = Some(SourceError::External(outage(&error, &self.running)));
        }
        Ok(outcome)
    }
}

impl Drop for DriverCapture {
    fn drop(&mut self) {
        let Self { runtime, running, successor, retiring, .. } = self;
        let Some(runtime) = runtime.take() else { return };
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
        // A file system that hangs must not keep the camera from closing.
        runtime.shutdown_background();
    }
}

impl Running {
    fn start(slot: &DriverSlot, opening: Opening<LoadedDriver>, settings: &DriverSettings, input: &InputState) -> Self {
        let newest = NewestImage::new(slot.camera().to_owned(), input);
        let run = DriverRun::start(slot.sandbox(), opening.component(), settings, newest);
        Self { opening, run }
    }

    /// Whether this is the component of that opening.
    fn component_is(&self, opening: &Opening<LoadedDriver>) -> bool {
        self.opening.component().identity().digest == opening.component().identity().digest
    }
}

/// Starts the current driver.
fn start(slot: &DriverSlot, settings: &DriverSettings, input: &InputState) -> Result<Running, Outage> {
    Ok(Running::start(slot, slot.open()?, settings, input))
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
