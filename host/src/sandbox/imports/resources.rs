//! The resources of `hotshoe:camera/cameras`, `hotshoe:server/results` and `hotshoe:server/events`, apart from the
//! modules of these interfaces because the generated bindings refer to them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use wasmtime_wasi::p2::Pollable;
use wasmtime_wasi_io::async_trait;

use crate::camera::{Feed, Frame};
use crate::results::{Entry, EventChanges, Reader};
use crate::sandbox::lifecycle::Lifecycle;

/// How long a guest waits for a camera that was removed before it learns that: a guest that ignores errors and tries
/// again does not compute all the time.
const REMOVED_DELAY: Duration = Duration::from_millis(500);

/// A watcher held by a guest.
pub struct HeldWatcher {
    pub(super) changes: watch::Receiver<u64>,
}

#[async_trait]
impl Pollable for HeldWatcher {
    async fn ready(&mut self) {
        // `changed` marks the change as seen, but only the guest's own call reports it.
        if self.changes.changed().await.is_ok() {
            self.changes.mark_changed();
        }
    }
}

/// The camera of a feed was removed.
pub(super) struct CameraRemoved;

/// Waits until a camera is removed, and notes that.
async fn noted(removed: impl Future<Output = ()>, camera_removed: Arc<AtomicBool>) {
    removed.await;
    camera_removed.store(true, Ordering::Relaxed);
}

/// A feed held by a guest. Clones share it.
#[derive(Clone)]
pub struct HeldFeed {
    feed: Arc<Mutex<Feed>>,
    lifecycle: Lifecycle,
    /// See `GuestState::camera_removed`.
    camera_removed: Arc<AtomicBool>,
}

impl HeldFeed {
    pub(super) fn new(feed: Feed, lifecycle: Lifecycle, camera_removed: Arc<AtomicBool>) -> Self {
        Self { feed: Arc::new(Mutex::new(feed)), lifecycle, camera_removed }
    }

    /// Locks the feed. Release the lock before you wait.
    pub(super) fn lock(&self) -> MutexGuard<'_, Feed> {
        // No code that runs under the lock can leave the data inconsistent.
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the feed returns no more frames because the generation of its guest has ended.
    ///
    /// A guest that streams then waits with no part half written, where it can be stopped. If it still received frames,
    /// a guest that serves a slow viewer would always find one and never wait.
    fn has_ended(&self) -> bool {
        self.lifecycle.has_ended()
    }

    /// Returns the newest frame, unless it was returned before.
    pub(super) fn newest(&self) -> Result<Option<Arc<Frame>>, CameraRemoved> {
        if self.is_removed() {
            return Err(CameraRemoved);
        }
        Ok(if self.has_ended() { None } else { self.lock().newest() })
    }

    /// Waits until [`newest`](Self::newest) returns a frame or fails, until the camera becomes lost, or until `limit` has
    /// passed.
    pub(super) fn wait(&self, limit: Duration) -> impl Future<Output = ()> + Send + use<> {
        let (lifecycle, removed, frame) = (self.lifecycle.clone(), self.removed(), self.lock().wait(limit));
        async move {
            if !lifecycle.has_ended() {
                tokio::select! {
                    biased;
                    () = removed => return sleep(limit.min(REMOVED_DELAY)).await,
                    () = frame => {}
                }
                if !lifecycle.has_ended() {
                    return;
                }
            }
            // There are no more frames to wait for.
            sleep(limit).await;
        }
    }

    /// Waits until the camera is removed, and notes that.
    pub(super) fn removed(&self) -> impl Future<Output = ()> + Send + use<> {
        noted(self.lock().removed(), self.camera_removed.clone())
    }

    /// Whether the camera was removed. If so, notes it.
    fn is_removed(&self) -> bool {
        let is_removed = self.lock().camera().is_removed();
        if is_removed {
            self.camera_removed.store(true, Ordering::Relaxed);
        }
        is_removed
    }
}

#[async_trait]
impl Pollable for HeldFeed {
    async fn ready(&mut self) {
        if self.has_ended() {
            std::future::pending::<()>().await;
        }
        let (removed, frame) = (self.removed(), self.lock().ready());
        tokio::select! {
            biased;
            () = removed => std::future::pending().await,
            () = frame => {}
        }
    }
}

/// A reader of results held by a guest.
pub struct HeldReader {
    pub(super) reader: Reader,
    /// See `GuestState::camera_removed`.
    pub(super) camera_removed: Arc<AtomicBool>,
}

impl HeldReader {
    /// Returns the next entry, if there is one.
    pub(super) fn next_entry(&mut self) -> Option<Arc<Entry>> {
        if self.reader.is_camera_removed() {
            self.camera_removed.store(true, Ordering::Relaxed);
        }
        self.reader.next_entry()
    }

    /// Waits until [`next_entry`](Self::next_entry) would return an entry, or until `limit` has passed.
    pub(super) fn wait(&self, limit: Duration) -> impl Future<Output = ()> + Send + use<> {
        let (removed, entry) = (self.removed(), self.reader.wait());
        async move {
            tokio::select! {
                biased;
                () = entry => {}
                () = removed => sleep(limit.min(REMOVED_DELAY)).await,
                () = sleep(limit) => {}
            }
        }
    }

    /// Waits until the camera is removed, and notes that.
    fn removed(&self) -> impl Future<Output = ()> + Send + use<> {
        noted(self.reader.camera_removed(), self.camera_removed.clone())
    }
}

#[async_trait]
impl Pollable for HeldReader {
    async fn ready(&mut self) {
        let removed = self.removed();
        tokio::select! {
            biased;
            () = self.reader.wait() => {}
            () = removed => std::future::pending().await,
        }
    }
}

/// A watcher of events held by a guest of WASI 0.3.
pub struct HeldEventWatcher {
    pub(super) changes: EventChanges,
}
