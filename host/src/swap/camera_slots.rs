//! The components of one kind of all cameras, which come and go with the configuration.

use std::sync::{Arc, PoisonError, RwLock};

use super::camera_slot::CameraSlot;
use crate::sandbox::CameraComponent;

/// The components of one kind, such as the drivers, of all cameras. Clones share them.
pub struct CameraSlots<C: CameraComponent>(Arc<RwLock<Arc<[CameraSlot<C>]>>>);

impl<C: CameraComponent> CameraSlots<C> {
    /// The components at this moment, in the order of the cameras.
    pub fn list(&self) -> Arc<[CameraSlot<C>]> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The components of the camera with this name.
    pub fn of(&self, camera: &str) -> impl DoubleEndedIterator<Item = CameraSlot<C>> + use<C> {
        let of_camera: Vec<_> = self.list().iter().filter(|slot| slot.camera() == camera).cloned().collect();
        of_camera.into_iter()
    }

    /// Replaces all.
    pub fn replace(&self, slots: impl IntoIterator<Item = CameraSlot<C>>) {
        let slots = slots.into_iter().collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = slots;
    }
}

impl<C: CameraComponent> Clone for CameraSlots<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: CameraComponent> Default for CameraSlots<C> {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(Arc::default())))
    }
}
