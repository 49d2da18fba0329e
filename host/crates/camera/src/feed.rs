//! A reader of a camera.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::camera::Camera;
use super::frame::{Frame, JpegImage};
use super::status::{State, Status};

impl Camera {
    /// Adds a reader. The camera opens if it is closed, and stays open until its last feed is dropped and its
    /// [`Linger`](super::Linger) has passed.
    pub fn feed(self: &Arc<Self>) -> Feed {
        self.add_reader();
        Feed { camera: self.clone(), status: self.status.subscribe(), last_sequence: None }
    }
}

/// A reader of a camera, which keeps the camera open.
pub struct Feed {
    camera: Arc<Camera>,
    status: watch::Receiver<Status>,
    /// The sequence number of the last frame returned.
    last_sequence: Option<u64>,
}

impl Feed {
    /// The camera of this feed.
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// Waits until the camera is removed. From then on, there are no frames.
    pub fn removed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.camera.removed()
    }

    /// Returns the newest frame, unless this feed has already returned it. Does not block.
    pub fn newest(&mut self) -> Option<Arc<Frame>> {
        let status = self.status.borrow_and_update();
        let frame = status.frame.as_ref().filter(|frame| Some(frame.sequence) != self.last_sequence)?;
        self.last_sequence = Some(frame.sequence);
        Some(frame.clone())
    }

    /// Returns an image that tells viewers why there is no picture, or `None` unless the camera is lost.
    pub fn placeholder(&self) -> Option<JpegImage> {
        self.status.borrow().placeholder.clone()
    }

    /// Waits until [`newest`](Self::newest) would return a frame, without borrowing the feed. Cancel-safe.
    pub fn ready(&self) -> impl Future<Output = ()> + Send + use<> {
        let (mut status, last_sequence) = (self.status.clone(), self.last_sequence);
        async move {
            // Cannot fail while the feed exists: its camera holds the sender.
            let _ = status.wait_for(|status| has_newer(status, last_sequence)).await;
        }
    }

    /// Waits for a new frame until `limit` has passed or the camera becomes lost, and returns the frame if there is
    /// one. Cancel-safe.
    pub async fn next(&mut self, limit: Duration) -> Option<Arc<Frame>> {
        wait_for_next(&mut self.status, self.last_sequence, limit).await;
        self.newest()
    }

    /// Waits like [`next`](Self::next), without borrowing the feed. Call [`newest`](Self::newest) afterwards.
    pub fn wait(&self, limit: Duration) -> impl Future<Output = ()> + Send + use<> {
        let (mut status, last_sequence) = (self.status.clone(), self.last_sequence);
        async move { wait_for_next(&mut status, last_sequence, limit).await }
    }

    /// Returns what waits for the frames of this feed again and again, without borrowing it.
    pub fn changes(&self) -> FeedChanges {
        let mut status = self.status.clone();
        let has_newer = has_newer(&status.borrow(), self.last_sequence);
        if has_newer {
            // A new feed has seen the present status, but has not returned its frame.
            status.mark_changed();
        }
        FeedChanges { status }
    }
}

/// Waits for the frames of a feed. For many frames, it costs less than [`Feed::wait`].
pub struct FeedChanges {
    status: watch::Receiver<Status>,
}

impl FeedChanges {
    /// Waits until [`Feed::newest`] may return a frame, or the camera may have become lost. Cancel-safe. Never returns once
    /// the feed and its camera are gone.
    pub async fn next(&mut self) {
        if self.status.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether the camera is lost.
    pub fn is_lost(&self) -> bool {
        matches!(self.status.borrow().state, State::Lost(_))
    }
}

/// Waits for a new frame until `limit` has passed or the camera becomes lost.
async fn wait_for_next(status: &mut watch::Receiver<Status>, last_sequence: Option<u64>, limit: Duration) {
    let was_lost = matches!(status.borrow().state, State::Lost(_));
    let is_done =
        |status: &Status| has_newer(status, last_sequence) || (!was_lost && matches!(status.state, State::Lost(_)));
    // Cannot fail while the camera exists, which holds the sender.
    let _ = timeout(limit, status.wait_for(is_done)).await;
}

fn has_newer(status: &Status, last_sequence: Option<u64>) -> bool {
    status.frame.as_ref().is_some_and(|frame| Some(frame.sequence) != last_sequence)
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.camera.remove_reader();
    }
}
