//! The work of `channel.push-frames`: turns the frames of a feed into the parts of a channel.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use wasmtime::{Result, bail};

use super::frame_parts::FrameParts;
use super::resources::HeldFeed;
use crate::camera::Frame;
use crate::channels::Publisher;
use crate::sandbox::usage::Usage;

/// Pushes the frames of a feed to a channel.
pub(super) struct FramePump {
    pub(super) publisher: Publisher,
    pub(super) feed: HeldFeed,
    pub(super) parts: FrameParts,
    /// How long to wait for a frame.
    pub(super) timeout: Duration,
    /// Counts the work as that of the publisher.
    pub(super) usage: Arc<Usage>,
}

impl FramePump {
    /// Pushes each new frame until none has come within the timeout, or until the camera becomes lost. Returns the last
    /// one, if there was any. Never returns once the camera is removed, because the host then ends the instance. Dropping
    /// the future ends the pump, which may still push one frame at that moment.
    ///
    /// It runs in a task of its own, so that a frame wakes only what has to do with it. Otherwise it would wake the task
    /// of the publisher, which waits for much else as well, and resume the fiber of the guest.
    pub(super) async fn run(self) -> Result<Option<Arc<Frame>>> {
        // Here and not in the other task, so that it wakes that of the publisher.
        let removed = self.feed.removed();
        let mut task = JoinSet::new();
        let usage = self.usage.clone();
        task.spawn(async move { usage.measure(self.pump()).await });
        tokio::select! {
            biased;
            () = removed => pending().await,
            ended = task.join_next() => match ended {
                Some(Ok(last)) => Ok(last),
                Some(Err(error)) => bail!("cannot push frames: {error}"),
                None => Ok(None),
            }
        }
    }

    async fn pump(self) -> Option<Arc<Frame>> {
        let mut changes = self.feed.lock().changes();
        let mut waiting_since = Instant::now();
        // Not set again for each frame: that costs more than to look again once it has elapsed.
        let mut timeout = pin!(sleep(self.timeout));
        let was_lost = changes.is_lost();
        let mut last = None;
        loop {
            tokio::select! {
                biased;
                () = changes.next() => match self.feed.newest() {
                    Ok(Some(frame)) => {
                        self.publisher.push(self.parts.part(&frame));
                        last = Some(frame);
                        waiting_since = Instant::now();
                    }
                    _ if changes.is_lost() && (last.is_some() || !was_lost) => return last,
                    _ => {}
                },
                () = &mut timeout => match self.timeout.checked_sub(waiting_since.elapsed()) {
                    Some(rest) if !rest.is_zero() => timeout.as_mut().reset(Instant::now() + rest),
                    _ => return last,
                },
            }
        }
    }
}
