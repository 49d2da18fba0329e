//! Cameras of the kernel: V4L2 devices.
//!
//! * `device`: what is needed of V4L2, as traits; `kernel`: the real one; `scripted`: one that plays faults.
//! * `find`: which node a camera is at; `negotiate`: what is asked of it; `settings`: what is set on it.
//! * `streaming`: the capture loop; `images`, `scrutiny`: which buffers are images.
//! * [`list`]: which cameras there are; `errors`: what the kernel's errors mean.

mod device;
mod errors;
mod find;
mod images;
mod kernel;
pub mod list;
mod negotiate;
#[cfg(any(test, fuzzing))]
pub mod scripted;
mod scrutiny;
mod settings;
mod streaming;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tracing::warn;

use self::device::System;
use self::find::{Claims, Found, find};
use self::images::Images;
use self::kernel::Kernel;
use self::negotiate::{Wish, negotiate, say_what_was_not_granted};
use self::scrutiny::Scrutiny;
use self::settings::Settings;
use self::streaming::{BUFFERS, Streaming};
use crate::controls::{Control, ControlError};
use crate::dimensions::Dimensions;
use crate::error::SourceError;
use crate::fourcc::FourCc;
use crate::source::{Capture, Source, StreamMode};

/// How good the JPEG images are that are made of raw formats, unless told otherwise: as good as those of webcams.
pub const DEFAULT_QUALITY: u8 = 80;

/// What is asked of a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraOptions {
    /// The size of its pictures; without, the driver's own stays.
    pub size: Option<Dimensions>,
    /// Frames per second, greater than 0; without, the driver's own stays.
    pub rate: Option<f64>,
    /// The pixel format; without, the best that there is.
    pub format: Option<FourCc>,
    /// How good the JPEG images are that are made of raw formats, from 1 to 100.
    pub quality: u8,
    /// Take JPEG images without an end, for cameras that never send one.
    pub allow_truncated: bool,
    /// Controls to set at each opening, by name, in this order.
    pub controls: Vec<(String, i64)>,
}

impl Default for CameraOptions {
    fn default() -> Self {
        Self {
            size: None,
            rate: None,
            format: None,
            quality: DEFAULT_QUALITY,
            allow_truncated: false,
            controls: Vec::new(),
        }
    }
}

/// The V4L2 devices of this machine, and what the cameras among them share.
#[derive(Clone)]
pub struct Devices {
    system: Arc<dyn System>,
    claims: Claims,
}

impl Devices {
    /// Those of the kernel.
    pub fn of_this_machine() -> Self {
        Self::of(Arc::new(Kernel::new()))
    }

    fn of(system: Arc<dyn System>) -> Self {
        Self { system, claims: Claims::default() }
    }

    /// The camera at `path`, which need not be there now, nor come back there.
    ///
    /// Fails if there is something else at the path. Whatever else keeps it from being used may pass, and is only said
    /// in the log. Opens the device for a moment.
    pub fn camera(&self, path: &Path, request: CameraOptions) -> Result<V4l2, SourceError> {
        let CameraOptions { size, rate, format, quality, allow_truncated, controls } = request;
        let camera = V4l2 {
            devices: self.clone(),
            path: path.to_owned(),
            wish: Wish { size, rate, format },
            quality,
            allow_truncated,
            settings: Settings::new(controls),
            scrutiny: Arc::default(),
            last: Mutex::default(),
        };
        match camera.find() {
            Err(error @ SourceError::NotCamera { .. }) => return Err(error),
            Err(error) => warn!("{error}; it is tried again while somebody watches"),
            Ok(found) if found.is_media_controlled => warn!(
                "{} streams only after its pipeline has been set up, as by media-ctl; a Raspberry Pi camera module needs \
                 libcamera (see the README)",
                path.display()
            ),
            Ok(_) => {}
        }
        Ok(camera)
    }
}

/// A V4L2 camera, and what was asked of it.
pub struct V4l2 {
    devices: Devices,
    /// As it was asked for.
    path: PathBuf,
    wish: Wish,
    quality: u8,
    allow_truncated: bool,
    settings: Settings,
    scrutiny: Arc<Mutex<Scrutiny>>,
    last: Mutex<Last>,
}

/// What a camera was when it was last seen.
#[derive(Default)]
struct Last {
    /// Its name.
    card: Option<String>,
    /// Its node, if that is not the path that was asked for.
    moved_to: Option<PathBuf>,
    /// What it gave when that was last logged, so that each retry does not say it again.
    said: Option<StreamMode>,
}

impl V4l2 {
    /// Poisoned or not: what is in there is whole at any time.
    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn system(&self) -> &dyn System {
        &*self.devices.system
    }

    /// Open the device, wherever it is.
    fn find(&self) -> Result<Found, SourceError> {
        let found = find(self.system(), &self.path, &self.devices.claims)?;
        let mut last = self.last();
        let moved_to = (found.node != self.path).then(|| found.node.clone());
        if moved_to.is_some() && moved_to != last.moved_to {
            warn!("the camera of {} is at {} now", self.path.display(), found.node.display());
        }
        last.moved_to = moved_to;
        last.card = Some(found.identity.card.clone());
        Ok(found)
    }

    /// Set the device up and start its stream.
    fn start(&self, found: Found) -> Result<Box<dyn Capture>, SourceError> {
        let Found { device, node, .. } = found;
        let agreement = negotiate(self.system(), &*device, &node, &self.wish)?;
        let mode = agreement.mode;
        if self.last().said.replace(mode) != Some(mode) {
            say_what_was_not_granted(&*device, &node, &self.wish, &mode);
        }
        // `negotiate` takes no other.
        let Some(images) = Images::new(&agreement, self.quality, self.allow_truncated, self.scrutiny.clone()) else {
            let offered = agreement.format.code.to_string();
            return Err(SourceError::NoFormat { path: node, asked: None, offered });
        };
        // One that was away may have come back with a bad cable.
        self.scrutiny.lock().unwrap_or_else(PoisonError::into_inner).note_damage();
        self.settings.apply(&*device, &node);
        let failed = |error| errors::device_error(self.system(), &node, "start its stream", error);
        let stream = device.start(BUFFERS).map_err(failed)?;
        let mode = StreamMode { quality: images.quality(), ..mode };
        Ok(Box::new(Streaming::new(self.devices.system.clone(), node, stream, mode, images)))
    }
}

impl Source for V4l2 {
    fn description(&self) -> String {
        let last = self.last();
        let place = last.moved_to.as_ref().unwrap_or(&self.path).display();
        match &last.card {
            Some(card) => format!("{card} at {place}"),
            None => format!("a camera at {place}"),
        }
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        let found = self.find()?;
        let node = found.node.clone();
        let is_media_controlled = found.is_media_controlled;
        self.start(found).map_err(|error| match error {
            // Nobody has set up its pipeline. What the kernel says of that (EINVAL, EPIPE) helps nobody.
            SourceError::Device { .. } | SourceError::NoFormat { .. } if is_media_controlled => {
                SourceError::NeedsLibcamera { path: node }
            }
            error => error,
        })
    }

    fn arrivals(&self) -> Option<watch::Receiver<()>> {
        Some(self.system().arrivals())
    }

    fn controls(&self) -> Result<Vec<Control>, SourceError> {
        Ok(settings::list(&*self.find()?.device))
    }

    fn set_control(&self, name: &str, value: i64) -> Result<i64, ControlError> {
        let Found { device, node, .. } = self.find()?;
        self.settings.set(self.system(), &*device, &node, name, value)
    }
}
