//! Reading a camera: one reader's place in its frames.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::frame::{Frame, JpegImage};
use super::hub::Camera;
use super::status::{State, Status};

/// One reader's place in the frames of one camera. While there is one, the camera is open.
pub struct Feed {
    camera: Arc<Camera>,
    status: watch::Receiver<Status>,
    /// The number of the last frame that was given.
    given: Option<u64>,
}

impl Feed {
    /// A place for a reader that is counted already.
    pub(super) fn new(camera: Arc<Camera>, status: watch::Receiver<Status>) -> Self {
        Self { camera, status, given: None }
    }

    /// The camera that is read.
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// The newest frame, if this feed has not given it yet. Does not block.
    pub fn newest(&mut self) -> Option<Arc<Frame>> {
        let status = self.status.borrow_and_update();
        let frame = status.frame.as_ref().filter(|frame| Some(frame.sequence) != self.given)?;
        self.given = Some(frame.sequence);
        Some(frame.clone())
    }

    /// Returns an image that tells viewers why there is no picture, or `None` unless the camera is lost.
    pub fn placeholder(&self) -> Option<JpegImage> {
        self.status.borrow().placeholder.clone()
    }

    /// Wait until [`newest`](Self::newest) has a frame to give. Cancel-safe.
    pub async fn ready(&mut self) {
        let given = self.given;
        let is_new = |status: &Status| status.frame.as_ref().is_some_and(|frame| Some(frame.sequence) != given);
        // The sender is in `self.camera`, so waiting can't fail.
        let _ = self.status.wait_for(is_new).await;
    }

    /// Wait for a frame to give, but not longer than `limit`, and not beyond the moment in which the camera
    /// becomes lost. Cancel-safe.
    pub async fn next(&mut self, limit: Duration) -> Option<Arc<Frame>> {
        let given = self.given;
        let was_lost = matches!(self.status.borrow().state, State::Lost(_));
        let is_worth_waking = |status: &Status| {
            status.frame.as_ref().is_some_and(|frame| Some(frame.sequence) != given)
                || (!was_lost && matches!(status.state, State::Lost(_)))
        };
        let _ = timeout(limit, self.status.wait_for(is_worth_waking)).await;
        self.newest()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.camera.one_reader_less();
    }
}
