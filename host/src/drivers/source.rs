//! A driver as the source of a camera.

use std::sync::Arc;

use tokio::sync::watch;

use super::capture::{DriverCapture, Shared};
use super::inputs::Inputs;
use super::runtime::DriverRuntime;
use super::slots::DriverSlot;
use crate::camera::image_input::InputOptions;
use crate::camera::{Capture, Source, SourceError};
use crate::sandbox::DriverSettings;

/// A camera whose frames come from a component. Its driver can be replaced while it is open.
pub struct ComponentSource {
    shared: Arc<Shared>,
}

impl ComponentSource {
    /// Creates the source of the camera to which `slot` belongs. `allow_truncated` accepts JPEG images without an end
    /// marker.
    pub fn new(slot: DriverSlot, settings: DriverSettings, allow_truncated: bool) -> Self {
        let inputs = Inputs::new(InputOptions { rate: settings.rate, allow_truncated });
        Self { shared: Arc::new(Shared { slot, settings, inputs, runtime: DriverRuntime::default() }) }
    }
}

impl Source for ComponentSource {
    fn description(&self) -> String {
        format!("driver {}", self.shared.slot.description())
    }

    /// Starts the driver. Blocks for some seconds at most while it is loaded, if that has not happened. Does not wait for
    /// an image.
    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        Ok(Box::new(DriverCapture::open(self.shared.clone())?))
    }

    /// Changes when the driver is replaced.
    fn hotplug_events(&self) -> Option<watch::Receiver<()>> {
        Some(self.shared.slot.changes())
    }
}
