//! The work of `channel.push-frames`: turns the frames of a feed into the parts of a channel.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use wasmtime::{Result, bail};

use super::frame_parts::FrameParts;
use super::resources::{HeldFeed, REMOVED_DELAY};
use crate::camera::Frame;
use crate::channels::Publisher;

/// Pushes the frames of a feed to a channel.
pub(super) struct FramePump {
    pub(super) publisher: Publisher,
    pub(super) feed: HeldFeed,
    pub(super) parts: FrameParts,
    /// How long to wait for a frame.
    pub(super) timeout: Duration,
}

impl FramePump {
    /// Pushes each new frame until none has come for the timeout, until the camera becomes lost, or until it is removed.
    /// Returns the last one, if there was any. Dropping the future ends the pump.
    ///
    /// It runs in a task of its own, so that a frame wakes only what has to do with it. Otherwise it would wake the task
    /// of the publisher, which waits for much else as well, and resume the fiber of the guest.
    pub(super) async fn run(self) -> Result<Option<Arc<Frame>>> {
        let mut task = JoinSet::new();
        task.spawn(self.pump());
        match task.join_next().await {
            Some(Ok(last)) => Ok(last),
            Some(Err(error)) => bail!("cannot push frames: {error}"),
            None => Ok(None),
        }
    }

    async fn pump(self) -> Option<Arc<Frame>> {
        let mut changes = self.feed.changes();
        let mut removed = pin!(self.feed.removed());
        let mut waiting_since = Instant::now();
        // Not set again for each frame: that costs more than to look again once it has elapsed.
        let mut timeout = pin!(sleep(self.timeout));
        let was_lost = changes.is_lost();
        let mut last = None;
        loop {
            tokio::select! {
                biased;
                () = &mut removed => {
                    sleep(self.timeout.min(REMOVED_DELAY)).await;
                    return last;
                }
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
