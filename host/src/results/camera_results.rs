//! The results of one camera, shared by all who attach and read them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::entries::Entries;
use crate::camera::Camera;

/// The results of one camera.
pub(super) struct CameraResults {
    pub(super) camera: Arc<Camera>,
    entries: Mutex<Entries>,
    /// The revision of the newest entry.
    pub(super) newest: watch::Sender<u64>,
}

impl CameraResults {
    /// Creates the results of a camera, which are empty.
    pub(super) fn new(camera: Arc<Camera>) -> Self {
        Self { camera, entries: Mutex::default(), newest: watch::Sender::default() }
    }

    /// Locks the entries.
    pub(super) fn entries(&self) -> MutexGuard<'_, Entries> {
        // No code that runs under the lock can leave the data inconsistent.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
