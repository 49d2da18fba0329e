//! Remembers which device each camera is, so that cameras of the same model are never confused.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What distinguishes one device from another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct DeviceIdentity {
    /// The model name.
    pub(super) card: String,
    /// Where it is attached.
    pub(super) bus: String,
    /// Which node of the device it is: some have one for colour and one for infrared.
    pub(super) index: Option<u32>,
}

/// The devices of this program's cameras, by the path that each camera was configured with. Clones share their
/// contents.
#[derive(Clone, Debug, Default)]
pub(super) struct DeviceRegistry {
    by_path: Arc<Mutex<HashMap<PathBuf, RegisteredDevice>>>,
}

/// What was known about a camera when it was last found.
#[derive(Clone, Debug)]
pub(super) struct RegisteredDevice {
    pub(super) identity: DeviceIdentity,
    /// The other nodes that existed then. The camera cannot come back as one of them.
    pub(super) other_nodes: Vec<PathBuf>,
}

impl DeviceRegistry {
    /// Ignores poisoning: no critical section can leave the map inconsistent.
    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, RegisteredDevice>> {
        self.by_path.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the device that the camera at `path` was when it was last found.
    pub(super) fn get(&self, path: &Path) -> Option<RegisteredDevice> {
        self.lock().get(path).cloned()
    }

    /// Whether another camera of this program is the same model.
    pub(super) fn has_other_of_model(&self, path: &Path, card: &str) -> bool {
        self.lock().iter().any(|(other, device)| other != path && device.identity.card == card)
    }

    /// Registers the device of the camera at `path`. Returns `false` if the device belongs to another camera.
    pub(super) fn register(&self, path: &Path, device: RegisteredDevice) -> bool {
        let mut by_path = self.lock();
        if by_path.iter().any(|(other, registered)| other != path && registered.identity == device.identity) {
            return false;
        }
        by_path.insert(path.to_owned(), device);
        true
    }
}
