//! All cameras of the host.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::camera::Camera;

/// All cameras of the host, in the order of the configuration. Clones share them. The default has none.
#[derive(Clone, Default)]
pub struct Cameras {
    /// A list is never changed, only replaced.
    current: Arc<RwLock<Arc<[Arc<Camera>]>>>,
    state_changes: Arc<watch::Sender<u64>>,
}

impl Cameras {
    /// Creates the collection.
    pub fn new(cameras: Vec<Camera>) -> Self {
        let all = Self::default();
        all.replace(cameras.into_iter().map(|camera| all.adopt(camera)).collect());
        all
    }

    /// Prepares a camera for [`replace`](Self::replace).
    pub fn adopt(&self, camera: Camera) -> Arc<Camera> {
        Arc::new(camera.with_state_changes(self.state_changes.clone()))
    }

    /// Replaces all cameras. Those that are no longer in the list are not [removed](Camera::remove) by this, but readers
    /// no longer find them. Counts as a state change.
    pub fn replace(&self, cameras: Vec<Arc<Camera>>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = cameras.into();
        self.state_changes.send_modify(|changes| *changes += 1);
    }

    /// A receiver that changes whenever the state or the mode of a camera does, or the list of cameras.
    pub fn state_changes(&self) -> watch::Receiver<u64> {
        self.state_changes.subscribe()
    }

    /// Returns the camera with this name.
    pub fn get(&self, name: &str) -> Option<Arc<Camera>> {
        self.list().iter().find(|camera| camera.name() == name).cloned()
    }

    /// Returns the cameras in order.
    pub fn list(&self) -> Arc<[Arc<Camera>]> {
        // Nothing that runs under the lock can leave the list inconsistent.
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
