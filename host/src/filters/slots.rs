//! The filters of all cameras.

use crate::sandbox::LoadedFilter;
use crate::swap::CameraSlot;

/// A filter of a camera, and its replacements.
pub type FilterSlot = CameraSlot<LoadedFilter>;

/// The filters of all cameras. Clones share them.
#[derive(Clone, Default)]
pub struct FilterSlots(Vec<FilterSlot>);

impl FilterSlots {
    /// Adds a filter.
    pub fn add(&mut self, slot: FilterSlot) {
        self.0.push(slot);
    }

    /// Loads the filters, one after the other, so that no viewer has to wait for it.
    pub async fn preload(&self) {
        for slot in &self.0 {
            slot.preload().await;
        }
    }

    /// The filters in the order of the cameras, and those of a camera in the order in which frames pass them.
    pub fn iter(&self) -> impl Iterator<Item = &FilterSlot> {
        self.0.iter()
    }

    /// The filters of the camera with this name, in the order in which frames pass them.
    pub fn of<'a>(&'a self, camera: &'a str) -> impl Iterator<Item = &'a FilterSlot> {
        self.iter().filter(move |slot| slot.camera() == camera)
    }
}
