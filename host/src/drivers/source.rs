//! A driver as the source of a camera.

use std::sync::Arc;

use tokio::sync::watch;

use super::capture::DriverCapture;
use super::slots::DriverSlot;
use crate::camera::image_input::{InputOptions, InputState};
use crate::camera::{Capture, Source, SourceError};
use crate::sandbox::DriverSettings;

/// A camera whose frames come from a component. Its driver can be replaced while it is open.
pub struct ComponentSource {
    slot: DriverSlot,
    settings: Arc<DriverSettings>,
    input: InputState,
}

impl ComponentSource {
    /// Creates the source of the camera to which `slot` belongs. `allow_truncated` accepts JPEG images without an end
    /// marker.
    pub fn new(slot: DriverSlot, settings: DriverSettings, allow_truncated: bool) -> Self {
        let input = InputState::new(InputOptions { rate: settings.rate, allow_truncated });
        Self { slot, settings: Arc::new(settings), input }
    }
}

impl Source for ComponentSource {
    fn description(&self) -> String {
        format!("driver {}", self.slot.description())
    }

    /// Starts the driver. Blocks while its file is loaded if that has not happened, but does not wait for an image.
    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        Ok(Box::new(DriverCapture::open(self.slot.clone(), self.settings.clone(), self.input.clone())?))
    }

    /// Changes when the driver is replaced.
    fn hotplug_events(&self) -> Option<watch::Receiver<()>> {
        Some(self.slot.changes())
    }
}
