//! All cameras of the host.

use std::sync::Arc;

use tokio::sync::watch;

use super::camera::Camera;

/// All cameras of the host, in the order of the command line. Never empty.
#[derive(Clone)]
pub struct Cameras {
    all: Arc<[Arc<Camera>]>,
    state_changes: Arc<watch::Sender<u64>>,
}

impl Cameras {
    /// Creates the collection.
    pub fn new(cameras: Vec<Camera>) -> Self {
        let state_changes = Arc::default();
        let all =
            cameras.into_iter().map(|camera| Arc::new(camera.with_state_changes(Arc::clone(&state_changes)))).collect();
        Self { all, state_changes }
    }

    /// A receiver that changes whenever the state or the mode of a camera does.
    pub fn state_changes(&self) -> watch::Receiver<u64> {
        self.state_changes.subscribe()
    }

    /// Returns the camera with this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Camera>> {
        self.iter().find(|camera| camera.name() == name)
    }

    /// Iterates over the cameras in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Camera>> {
        self.all.iter()
    }
}
