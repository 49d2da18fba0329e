//! Remembers which device each camera is, so that cameras of the same model are never confused.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
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
    by_path: Arc<Mutex<HashMap<PathBuf, Entry>>>,
}

/// What is known about the cameras with one path.
#[derive(Debug, Default)]
struct Entry {
    /// How many there are: several with different options, or those from before and after a reload.
    cameras: usize,
    /// The device that they are. `None` until one of them is found.
    device: Option<RegisteredDevice>,
}

/// What was known about a camera when it was last found.
#[derive(Clone, Debug)]
pub(super) struct RegisteredDevice {
    pub(super) identity: DeviceIdentity,
    /// The other nodes that existed then. The camera cannot come back as one of them.
    pub(super) other_nodes: Vec<PathBuf>,
}

impl DeviceRegistry {
    /// Adds a camera with this path. Its device is forgotten when all cameras with the path are released.
    pub(super) fn add(&self, path: &Path) -> Registration {
        self.lock().entry(path.to_owned()).or_default().cameras += 1;
        Registration { registry: self.clone(), path: path.to_owned(), is_released: AtomicBool::new(false) }
    }

    /// Ignores poisoning: no critical section can leave the map inconsistent.
    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Entry>> {
        self.by_path.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A camera in the registry, until it is [released](Self::release) or dropped.
#[derive(Debug)]
pub(super) struct Registration {
    registry: DeviceRegistry,
    path: PathBuf,
    is_released: AtomicBool,
}

impl Registration {
    /// The configured path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the device that the camera was when it was last found.
    pub(super) fn known(&self) -> Option<RegisteredDevice> {
        self.registry.lock().get(&self.path).and_then(|entry| entry.device.clone())
    }

    /// Whether a camera with another path is another device of the same model.
    pub(super) fn has_other_of_model(&self, identity: &DeviceIdentity) -> bool {
        let by_path = self.registry.lock();
        self.others(&by_path).any(|(_, other)| other.card == identity.card && other != identity)
    }

    /// Returns the other paths whose cameras are this device.
    pub(super) fn owners(&self, identity: &DeviceIdentity) -> Vec<PathBuf> {
        let by_path = self.registry.lock();
        self.others(&by_path).filter(|(_, other)| *other == identity).map(|(path, _)| path.clone()).collect()
    }

    /// Registers the device of the camera. Returns `false` if it belongs to a camera with another path that is not in
    /// `sharing`. Registers nothing for a camera that was released.
    pub(super) fn register(&self, device: RegisteredDevice, sharing: &[PathBuf]) -> bool {
        let mut by_path = self.registry.lock();
        let is_foreign =
            |(path, other): (&PathBuf, &DeviceIdentity)| *other == device.identity && !sharing.contains(path);
        if self.others(&by_path).any(is_foreign) {
            return false;
        }
        if !self.is_released.load(Ordering::Relaxed)
            && let Some(entry) = by_path.get_mut(&self.path)
        {
            entry.device = Some(device);
        }
        true
    }

    /// Removes the camera from the registry, so that others can be what it was. Does not block.
    pub(super) fn release(&self) {
        let mut by_path = self.registry.lock();
        // Under the lock, which orders it with `register`.
        if self.is_released.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(entry) = by_path.get_mut(&self.path) {
            entry.cameras = entry.cameras.saturating_sub(1);
            if entry.cameras == 0 {
                by_path.remove(&self.path);
            }
        }
    }

    /// The devices of cameras with other paths.
    fn others<'a>(
        &self,
        by_path: &'a HashMap<PathBuf, Entry>,
    ) -> impl Iterator<Item = (&'a PathBuf, &'a DeviceIdentity)> {
        let others = by_path.iter().filter(|(path, _)| **path != self.path);
        others.filter_map(|(path, entry)| entry.device.as_ref().map(|device| (path, &device.identity)))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.release();
    }
}
