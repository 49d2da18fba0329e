//! The drivers of all cameras.

use tokio::runtime::Handle;

use crate::sandbox::{LoadedDriver, Outgoing};
use crate::swap::CameraSlot;

/// The driver of a camera, and its replacements.
pub type DriverSlot = CameraSlot<LoadedDriver>;

/// The drivers of all cameras that have one. Clones share them.
#[derive(Clone, Default)]
pub struct Drivers(Vec<(DriverSlot, Outgoing)>);

impl Drivers {
    /// Adds the driver of a camera, which may send these requests.
    pub fn add(&mut self, slot: DriverSlot, outgoing: Outgoing) {
        self.0.push((slot, outgoing));
    }

    /// Sets the runtime that the requests of drivers run on. Until then, they fail.
    pub fn run_requests_on(&self, runtime: &Handle) {
        self.0.iter().for_each(|(_, outgoing)| outgoing.run_on(runtime.clone()));
    }

    /// Loads the drivers, one after the other, so that no viewer has to wait for it.
    pub async fn preload(&self) {
        for (slot, _) in &self.0 {
            slot.preload().await;
        }
    }

    /// The drivers in the order of the cameras.
    pub fn iter(&self) -> impl Iterator<Item = &DriverSlot> {
        self.0.iter().map(|(slot, _)| slot)
    }

    /// The driver of the camera with this name.
    pub fn get(&self, camera: &str) -> Option<&DriverSlot> {
        self.iter().find(|slot| slot.camera() == camera)
    }
}
