//! A component as a filter of a camera.
//!
//! It runs in the camera's filter thread, in a Tokio runtime of its own. The thread has the priority of requests, so a
//! filter that computes all the time delays neither capturing nor sending. Its share of a processor is not limited
//! otherwise, as that of a worker is: viewers wait for its frames, and pauses would only lower their rate.
//!
//! A replaced filter is used from the next frame on; if it fails before it has returned a frame, the one before
//! returns. Whatever happens, a frame that no filter has returned is not returned from here either.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::slots::FilterSlot;
use crate::camera::filter::{Filter, OpenFilter};
use crate::camera::{Frame, JpegImage, Outage, OutageCause};
use crate::process::runtimes::lower_priority;
use crate::sandbox::{CameraComponent as _, FilterError, FilterRun, FilterSettings, LoadedFilter, Origin};
use crate::swap::Opening;

/// How long frames are not passed to a filter after it has failed. A filter that traps at once would otherwise take all
/// the time that there is.
const RESTART_DELAY: Duration = Duration::from_millis(500);

/// How long a filter may get frames and return none until that counts as a failure. Viewers would see an old picture, or
/// none, without a reason.
const SILENCE_LIMIT: Duration = Duration::from_secs(10);

/// The most that one pause between two frames adds to the silence of a filter. Without readers, there are no frames.
const LONGEST_INTERVAL: Duration = Duration::from_secs(1);

/// How many threads there may be for what blocks. Filters may use no files, and pictures have threads of their own.
const MAX_BLOCKING_THREADS: usize = 1;

/// The most instances of a filter at a time: the one that runs, and its successor.
pub const MAX_FILTER_INSTANCES: u32 = 2;

/// A component as a filter of a camera. It can be replaced while the camera is open.
pub struct ComponentFilter {
    slot: FilterSlot,
    settings: Arc<FilterSettings>,
}

impl ComponentFilter {
    /// Creates a filter of the camera to which `slot` belongs.
    pub fn new(slot: FilterSlot, settings: FilterSettings) -> Self {
        Self { slot, settings: Arc::new(settings) }
    }
}

impl Filter for ComponentFilter {
    fn description(&self) -> String {
        self.slot.description()
    }

    fn open(&self) -> Box<dyn OpenFilter> {
        let mut changes = self.slot.changes();
        changes.mark_unchanged();
        Box::new(OpenComponentFilter {
            slot: self.slot.clone(),
            settings: self.settings.clone(),
            runtime: None,
            running: None,
            failed: None,
            changes,
        })
    }
}

struct OpenComponentFilter {
    slot: FilterSlot,
    settings: Arc<FilterSettings>,
    /// `None` until the first frame.
    runtime: Option<Runtime>,
    running: Option<Running>,
    /// Until when the filter gets no frames, and why.
    failed: Option<(Instant, Outage)>,
    /// Changes when the filter is replaced.
    changes: watch::Receiver<()>,
}

/// A running filter, and its generation.
struct Running {
    opening: Opening<LoadedFilter>,
    run: FilterRun,
    silence: Silence,
}

/// How long a filter has got frames and returned none.
#[derive(Default)]
struct Silence {
    duration: Duration,
    /// When it got the last frame for which it returned none.
    last: Option<Instant>,
}

impl Silence {
    /// The filter has returned nothing for a frame. Returns whether it has been silent for too long.
    fn continue_until(&mut self, now: Instant) -> bool {
        let interval = self.last.replace(now).map(|last| now.saturating_duration_since(last)).unwrap_or_default();
        self.duration += interval.min(LONGEST_INTERVAL);
        self.duration > SILENCE_LIMIT
    }
}

impl OpenFilter for OpenComponentFilter {
    fn apply(&mut self, frame: &Frame) -> Result<Option<JpegImage>, Outage> {
        if self.changes.has_changed().unwrap_or(false) {
            self.changes.mark_unchanged();
            self.running.take_if(|running| self.slot.generation() != Some(running.opening.number()));
            self.failed = None;
        }
        if let Some((until, outage)) = &self.failed {
            if Instant::now() < *until {
                return Err(outage.clone());
            }
            self.failed = None;
        }
        let result = self.try_apply(frame);
        if let Err(outage) = &result {
            self.failed = Some((Instant::now() + RESTART_DELAY, outage.clone()));
        }
        result
    }
}

impl OpenComponentFilter {
    fn try_apply(&mut self, frame: &Frame) -> Result<Option<JpegImage>, Outage> {
        loop {
            let Some(Running { opening, mut run, mut silence }) = self.running.take() else {
                let opening = self.slot.open()?;
                match self.start(&opening) {
                    Ok(run) => self.running = Some(Running { opening, run, silence: Silence::default() }),
                    Err(error) => self.fail(&opening, &error)?,
                }
                continue;
            };
            let runtime = self.runtime()?;
            match runtime.block_on(run.apply(frame)) {
                Ok(Some(image)) => {
                    opening.record_picture();
                    self.running = Some(Running { opening, run, silence: Silence::default() });
                    return Ok(Some(image));
                }
                Ok(None) if silence.continue_until(Instant::now()) => {
                    self.fail(&opening, &FilterError::Silent(SILENCE_LIMIT))?;
                }
                Ok(None) => {
                    self.running = Some(Running { opening, run, silence });
                    return Ok(None);
                }
                // The instance is dropped.
                Err(error) => self.fail(&opening, &error)?,
            }
        }
    }

    /// Starts an instance of the filter.
    fn start(&mut self, opening: &Opening<LoadedFilter>) -> Result<FilterRun, FilterError> {
        let (sandbox, settings) = (self.slot.sandbox().clone(), self.settings.clone());
        let runtime = self.runtime().map_err(|outage| FilterError::OutOfResources(outage.message.to_string()))?;
        runtime.block_on(FilterRun::start(sandbox, opening.component(), &settings))
    }

    /// Rolls back to another filter if this one has never returned a frame.
    ///
    /// # Errors
    ///
    /// The outage, unless it could roll back.
    fn fail(&mut self, opening: &Opening<LoadedFilter>, error: &FilterError) -> Result<(), Outage> {
        if self.slot.record_failure(opening, &error.to_string()) {
            self.changes.mark_unchanged();
            return Ok(());
        }
        let cause = match error {
            FilterError::Late(_) | FilterError::Silent(_) => OutageCause::Stalled,
            FilterError::Trapped(_) | FilterError::OutOfResources(_) | FilterError::TooManyImages(_) => {
                OutageCause::Failed
            }
        };
        let message = match &opening.component().identity().origin {
            origin @ Origin::CameraUpload { .. } => format!("{origin} {error}"),
            origin => format!("the filter {origin} {error}"),
        };
        Err(Outage { cause, message: message.into() })
    }

    /// The runtime in which the filter runs. Creates it at the first frame.
    fn runtime(&mut self) -> Result<&Runtime, Outage> {
        if self.runtime.is_none() {
            lower_priority();
            let failed = |error| Outage {
                cause: OutageCause::Failed,
                message: format!("cannot start the filter: {error}").into(),
            };
            let runtime = Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(MAX_BLOCKING_THREADS)
                .build()
                .map_err(failed)?;
            self.runtime = Some(runtime);
        }
        self.runtime
            .as_ref()
            .ok_or_else(|| Outage { cause: OutageCause::Failed, message: "cannot start the filter".into() })
    }
}

impl Drop for OpenComponentFilter {
    fn drop(&mut self) {
        // The instance may hold resources of the runtime.
        self.running = None;
        if let Some(runtime) = self.runtime.take() {
            // A file system that hangs must not keep the camera from closing.
            runtime.shutdown_background();
        }
    }
}
