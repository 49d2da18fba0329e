//! A V4L2 camera.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tracing::{info, warn};

use super::control_settings::{self, ControlSettings};
use super::crop::{self, Crop, CroppedBy};
use super::device::{Device, System};
use super::errors::device_error;
use super::extract::ImageExtractor;
use super::find::{OpenCamera, find};
use super::negotiate::{RequestedMode, log_differences, negotiate};
use super::registry::Registration;
use super::signal::{RequestedSignal, select};
use super::streaming::{DEFAULT_BUFFERS, Streaming};
use super::turn::turn;
use crate::controls::{Control, ControlError};
use crate::dimensions::Dimensions;
use crate::error::SourceError;
use crate::fourcc::FourCc;
use crate::frame_sampling::FrameSampling;
use crate::orientation::Orientation;
use crate::rate_limit::RateLimit;
use crate::rectangle::Rectangle;
use crate::source::{Capture, Source};
use crate::stream_mode::StreamMode;

/// The default JPEG quality for raw formats: similar to that of webcams.
pub const DEFAULT_QUALITY: u8 = 80;

/// The configuration of a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraOptions {
    /// The size of the pictures. `None` keeps the driver's present size.
    pub size: Option<Dimensions>,
    /// The highest frame rate in frames per second, greater than 0. Requested from the driver; frames above it are
    /// skipped. `None` keeps the driver's present rate.
    pub rate: Option<f64>,
    /// The pixel format. `None` chooses the best available one.
    pub format: Option<FourCc>,
    /// The JPEG quality for raw formats, from 1 to 100.
    pub quality: u8,
    /// Accepts JPEG images without an end marker, which a few cameras never send.
    pub allow_truncated: bool,
    /// The number of buffers to request from the driver, from 2 to 32.
    pub buffers: u32,
    /// The video input: its number, counted from 0, or its name. `None` keeps the present one.
    pub input: Option<String>,
    /// The name of the video standard for analogue inputs. `None` keeps the present one.
    pub standard: Option<String>,
    /// The part to which pictures are cropped: by the device if it can, or else from raw pictures.
    pub crop: Option<Rectangle>,
    /// How to turn the pictures: by the device if it can, or else by EXIF. `None` leaves the controls of the device
    /// alone.
    pub orientation: Option<Orientation>,
    /// Controls to set whenever the camera is opened, by name, in this order.
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
            buffers: DEFAULT_BUFFERS,
            input: None,
            standard: None,
            crop: None,
            orientation: None,
            controls: Vec::new(),
        }
    }
}

/// A V4L2 camera with its configuration.
pub struct V4l2Camera {
    system: Arc<dyn System>,
    registration: Registration,
    requested: RequestedMode,
    quality: u8,
    allow_truncated: bool,
    buffers: u32,
    signal: RequestedSignal,
    crop: Option<Rectangle>,
    orientation: Option<Orientation>,
    controls: ControlSettings,
    sampling: Arc<Mutex<FrameSampling>>,
    last_seen: Mutex<LastSeen>,
}

/// What the camera was when it was last found.
#[derive(Default)]
struct LastSeen {
    /// Its model name.
    card: Option<String>,
    /// Its node, if that is not the configured path.
    moved_to: Option<PathBuf>,
    /// The last mode whose differences from the request were logged, so that retries do not log them again.
    logged_mode: Option<StreamMode>,
    /// How pictures are cropped.
    crop: Option<Crop>,
    /// Whether the device turns the pictures. `None` if they are not turned.
    is_turned_by_device: Option<bool>,
}

impl V4l2Camera {
    /// Creates a camera. Does not open the device.
    pub(super) fn new(system: Arc<dyn System>, registration: Registration, options: CameraOptions) -> Self {
        let CameraOptions {
            size,
            rate,
            format,
            quality,
            allow_truncated,
            buffers,
            input,
            standard,
            crop,
            orientation,
            controls,
        } = options;
        Self {
            system,
            registration,
            requested: RequestedMode { size, rate, format, must_be_raw: false },
            quality,
            allow_truncated,
            buffers,
            signal: RequestedSignal { input, standard },
            crop,
            orientation,
            controls: ControlSettings::new(controls),
            sampling: Arc::default(),
            last_seen: Mutex::default(),
        }
    }

    /// Ignores poisoning: no critical section can leave the state inconsistent.
    fn last_seen(&self) -> MutexGuard<'_, LastSeen> {
        self.last_seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the device, wherever it is now.
    pub(super) fn find(&self) -> Result<OpenCamera, SourceError> {
        let camera = find(&*self.system, &self.registration)?;
        let path = self.registration.path();
        let mut last_seen = self.last_seen();
        let moved_to = (camera.node != path).then(|| camera.node.clone());
        if moved_to.is_some() && moved_to != last_seen.moved_to {
            warn!("the camera from {} is now at {}", path.display(), camera.node.display());
        }
        last_seen.moved_to = moved_to;
        last_seen.card = Some(camera.identity.card.clone());
        Ok(camera)
    }

    /// Makes the device turn its pictures. Returns what remains for EXIF.
    fn turn(&self, device: &dyn Device, node: &Path) -> Orientation {
        let Some(orientation) = self.orientation else { return Orientation::default() };
        let by_device = turn(device, orientation);
        let turned = (!orientation.is_upright()).then_some(by_device);
        if turned.is_some() && turned != std::mem::replace(&mut self.last_seen().is_turned_by_device, turned) {
            let node = node.display();
            if by_device {
                info!("{node}: the device applies {orientation}");
            } else {
                info!(
                    "{node}: EXIF data in each image tell viewers to apply {orientation}; OpenCV's streams ignore them"
                );
            }
        }
        if by_device { Orientation::default() } else { orientation }
    }

    /// Configures the device and starts its stream.
    fn start(&self, camera: OpenCamera) -> Result<Box<dyn Capture>, SourceError> {
        let OpenCamera { device, node, .. } = camera;
        select(&*self.system, &*device, &node, &self.signal)?;
        let remaining = self.turn(&*device, &node);
        let mut requested = self.requested;
        let prepare = |area| crop::prepare(&*self.system, &*device, &node, area, &mut requested);
        let cropped_by = self.crop.map(prepare).transpose()?;
        let negotiated = negotiate(&*self.system, &*device, &node, &requested)?;
        let settle = |(area, by)| crop::settle(&*device, &node, area, by, negotiated.mode.dimensions);
        let crop = self.crop.zip(cropped_by).map(settle).transpose()?;
        if let (Some(requested), Some(crop)) = (self.crop, crop)
            && self.last_seen().crop.replace(crop) != Some(crop)
        {
            crop::log(&node, requested, &crop);
        }
        let mode = negotiated.mode;
        if self.last_seen().logged_mode.replace(mode) != Some(mode) {
            log_differences(&*device, &node, &requested, &mode);
        }
        // `negotiate` returns only supported formats.
        let sampling = self.sampling.clone();
        let own_crop = crop.filter(|crop| crop.by == CroppedBy::Server).map(|crop| crop.area);
        let Some(extractor) =
            ImageExtractor::new(&negotiated, self.quality, self.allow_truncated, own_crop, remaining, sampling)
        else {
            let offered = negotiated.format.code.to_string();
            return Err(SourceError::NoFormat { path: node, requested: None, offered });
        };
        self.controls.apply(&*device, &node);
        let failed = |error| device_error(&*self.system, &node, "start its stream", error);
        let stream = device.start(self.buffers).map_err(failed)?;
        let dimensions = own_crop.map_or(mode.dimensions, |area| area.size);
        let mode = StreamMode { dimensions, quality: extractor.quality(), ..mode };
        let limit = RateLimit::new(self.requested.rate);
        Ok(Box::new(Streaming::new(self.system.clone(), node, (stream, self.buffers), mode, extractor, limit)))
    }
}

impl Source for V4l2Camera {
    fn description(&self) -> String {
        let last_seen = self.last_seen();
        let node = last_seen.moved_to.as_deref().unwrap_or(self.registration.path()).display();
        let turned = match (self.orientation, last_seen.is_turned_by_device) {
            (Some(orientation), Some(true)) => format!(", {orientation} by the device"),
            (Some(orientation), Some(false)) => format!(", {orientation} by EXIF"),
            _ => String::new(),
        };
        let cropped = last_seen.crop.map(|crop| format!(", {crop}")).unwrap_or_default();
        match &last_seen.card {
            Some(card) => format!("{card} at {node}{cropped}{turned}"),
            None => format!("a camera at {node}"),
        }
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        let camera = self.find()?;
        let node = camera.node.clone();
        let is_media_controlled = camera.is_media_controlled;
        self.start(camera).map_err(|error| match error {
            // The pipeline has not been set up. The kernel's own error (EINVAL, EPIPE) would not help.
            SourceError::Device { .. } | SourceError::NoFormat { .. } if is_media_controlled => {
                SourceError::NeedsLibcamera { path: node }
            }
            error => error,
        })
    }

    fn hotplug_events(&self) -> Option<watch::Receiver<()>> {
        Some(self.system.hotplug_events())
    }

    fn controls(&self) -> Result<Vec<Control>, SourceError> {
        Ok(control_settings::list(&*self.find()?.device))
    }

    fn set_control(&self, name: &str, value: i64) -> Result<i64, ControlError> {
        let OpenCamera { device, node, .. } = self.find()?;
        self.controls.set(&*self.system, &*device, &node, name, value)
    }

    fn release(&self) {
        self.registration.release();
    }
}
