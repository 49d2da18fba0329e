//! A reader of the results of one camera.

use std::sync::Arc;

use tokio::sync::watch;

use super::camera_results::CameraResults;
use super::entries::Entry;

/// A position in the results of one camera.
pub struct Reader {
    results: Arc<CameraResults>,
    /// The revision of the newest entry of the camera.
    newest: watch::Receiver<u64>,
    /// The revision of the last entry returned, or of the newest one when the reader started.
    last: u64,
}

impl Reader {
    /// Starts to read what is attached from now on.
    pub(super) fn new(results: Arc<CameraResults>) -> Self {
        let newest = results.newest.subscribe();
        let last = results.entries().revision();
        Self { results, newest, last }
    }

    /// Whether the camera was removed. It gets no more results then, and the next camera of that name has its own.
    pub fn is_camera_removed(&self) -> bool {
        self.results.camera.is_removed()
    }

    /// Waits until the camera is removed.
    pub fn camera_removed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.results.camera.removed()
    }

    /// Returns the next entry, if there is one. Does not block.
    pub fn next_entry(&mut self) -> Option<Arc<Entry>> {
        let entry = self.results.entries().after(self.last)?;
        self.last = entry.revision;
        Some(entry)
    }

    /// Waits until [`next_entry`](Self::next_entry) would return an entry, without borrowing the reader.
    pub fn wait(&self) -> impl Future<Output = ()> + Send + use<> {
        let (mut newest, last) = (self.newest.clone(), self.last);
        async move {
            // Fails if the results are dropped, and then there is nothing to wait for.
            let _ = newest.wait_for(|newest| *newest > last).await;
        }
    }
}
