//! The V4L2 devices of a machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{info, warn};

use super::camera::{CameraOptions, V4l2Camera};
use super::device::System;
use super::device_info::{DeviceInfo, check_usable};
use super::find::open_device;
use super::kernel::Kernel;
use super::registry::DeviceRegistry;
use crate::error::SourceError;

/// The V4L2 devices of a machine. Create only one, because its cameras share a registry that tells cameras of the same
/// model apart.
#[derive(Clone)]
pub struct Devices {
    system: Arc<dyn System>,
    registry: DeviceRegistry,
}

impl Default for Devices {
    fn default() -> Self {
        Self::new()
    }
}

impl Devices {
    /// Accesses the kernel's devices and watches `/dev` for new ones.
    pub fn new() -> Self {
        Self::with_system(Arc::new(Kernel::new()))
    }

    /// Accesses the devices of `system`.
    pub(super) fn with_system(system: Arc<dyn System>) -> Self {
        Self { system, registry: DeviceRegistry::default() }
    }

    /// Creates a camera for the device at `path`. The device may be missing now, and may come back under another path.
    ///
    /// Opens the device briefly.
    ///
    /// # Errors
    ///
    /// [`SourceError::NotCamera`] if the device can never deliver a picture. Logs all other problems, because they may
    /// pass.
    pub fn camera(&self, path: &Path, options: CameraOptions) -> Result<V4l2Camera, SourceError> {
        let camera = V4l2Camera::new(self.system.clone(), self.registry.add(path), options);
        match camera.find() {
            Err(error @ SourceError::NotCamera { .. }) => return Err(error),
            Err(error) => warn!("{error} (retrying while it has viewers)"),
            Ok(found) if found.is_media_controlled => warn!(
                "{} streams only after its pipeline has been set up, for example with media-ctl; a Raspberry Pi camera \
                 module needs libcamera (see docs/cameras.md)",
                path.display()
            ),
            Ok(_) => {}
        }
        Ok(camera)
    }

    /// Returns the first usable device that is not in `taken`. Logs why it skips others.
    pub fn first_camera(&self, taken: &[PathBuf]) -> Option<PathBuf> {
        self.system.nodes().into_iter().filter(|path| !taken.contains(path)).find(|path| {
            let (card, checked) = match open_device(&*self.system, path) {
                Ok((device, capabilities)) => {
                    let checked = check_usable(&*device, &capabilities, path);
                    (format!(" ({})", capabilities.card), checked)
                }
                Err(error) => (String::new(), Err(error)),
            };
            match checked {
                Ok(()) => return true,
                Err(SourceError::NotCamera { reason, .. }) => info!("auto skips {}{card}: {reason}", path.display()),
                Err(error) => warn!("auto skips {}{card}: {error}", path.display()),
            }
            false
        })
    }

    /// Lists all V4L2 devices, usable or not, and the nodes that cannot be opened.
    pub fn list(&self) -> (Vec<DeviceInfo>, Vec<(PathBuf, SourceError)>) {
        let mut devices = Vec::new();
        let mut unopened = Vec::new();
        for path in self.system.nodes() {
            match open_device(&*self.system, &path) {
                Ok((device, capabilities)) => devices.push(DeviceInfo::query(path, &*device, capabilities)),
                Err(error) => unopened.push((path, error)),
            }
        }
        (devices, unopened)
    }
}
