//! The host's side of `hotshoe:camera/cameras`: what guests see of [`crate::camera`].
//!
//! What each function promises is said in `wit/cameras.wit`; here stands only how it is kept.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::{DynInputStream, DynPollable, InputStream, Pollable, StreamError, StreamResult, subscribe};
use wasmtime_wasi_io::async_trait;

use super::bindings::HeldFrame;
use super::bindings::hotshoe::camera::cameras as wit;
use crate::camera::status::{FrameCounts, LostFrames, Outage, OutageCause};
use crate::camera::{Camera, Dimensions, Feed, State};
use crate::sandbox::clock::nanoseconds;
use crate::sandbox::lifecycle::{Lifecycle, Phase};
use crate::sandbox::state::GuestState;

/// The most feeds that one instance may hold: a page that mixes some cameras into one picture has room.
const FEEDS: u32 = 16;

/// The most frames that one instance may hold. Each may be several megabytes of the host's memory.
const FRAMES: u32 = 16;

impl wit::Host for GuestState {
    fn list_cameras(&mut self) -> Result<Vec<wit::Camera>> {
        Ok(self.cameras.iter().map(|camera| camera_now(camera)).collect())
    }
}

impl wit::HostWatcher for GuestState {
    fn new(&mut self) -> Result<Resource<HeldWatcher>> {
        Ok(self.table.push(HeldWatcher { news: self.cameras.state_changes() })?)
    }

    async fn blocking_next(&mut self, watcher: Resource<HeldWatcher>, timeout_nanoseconds: u64) -> Result<bool> {
        let watcher = self.table.get_mut(&watcher)?;
        // The sender is in the cameras, so waiting can't fail.
        Ok(timeout(Duration::from_nanos(timeout_nanoseconds), watcher.news.changed()).await.is_ok())
    }

    fn subscribe(&mut self, watcher: Resource<HeldWatcher>) -> Result<Resource<DynPollable>> {
        subscribe(&mut self.table, watcher)
    }

    fn drop(&mut self, watcher: Resource<HeldWatcher>) -> Result<()> {
        self.table.delete(watcher)?;
        Ok(())
    }
}

impl wit::HostFeed for GuestState {
    fn open(&mut self, name: String) -> Result<Result<Resource<HeldFeed>, wit::ErrorCode>> {
        let Some(camera) = self.cameras.get(&name) else { return Ok(Err(wit::ErrorCode::UnknownCamera)) };
        if self.feeds_held >= FEEDS {
            return Ok(Err(wit::ErrorCode::TooManyFeeds(FEEDS)));
        }
        let feed = HeldFeed { feed: camera.feed(), lifecycle: self.lifecycle.clone() };
        let feed = self.table.push(feed)?;
        self.feeds_held += 1;
        Ok(Ok(feed))
    }

    fn next(&mut self, feed: Resource<HeldFeed>) -> Result<Result<Option<Resource<HeldFrame>>, wit::ErrorCode>> {
        if self.frames_held >= FRAMES {
            return Ok(Err(wit::ErrorCode::TooManyFrames(FRAMES)));
        }
        let held = self.table.get_mut(&feed)?;
        let frame = if held.is_dry() { None } else { held.feed.newest() };
        self.hold(frame)
    }

    async fn blocking_next(
        &mut self,
        feed: Resource<HeldFeed>,
        timeout_nanoseconds: u64,
    ) -> Result<Result<Option<Resource<HeldFrame>>, wit::ErrorCode>> {
        if self.frames_held >= FRAMES {
            return Ok(Err(wit::ErrorCode::TooManyFrames(FRAMES)));
        }
        let held = self.table.get_mut(&feed)?;
        let timeout = Duration::from_nanos(timeout_nanoseconds);
        if held.is_dry() {
            sleep(timeout).await;
            return Ok(Ok(None));
        }
        let frame = held.feed.next(timeout).await;
        self.hold(frame)
    }

    fn placeholder(&mut self, feed: Resource<HeldFeed>) -> Result<Result<Option<Resource<HeldFrame>>, wit::ErrorCode>> {
        if self.frames_held >= FRAMES {
            return Ok(Err(wit::ErrorCode::TooManyFrames(FRAMES)));
        }
        let placeholder = self.table.get(&feed)?.feed.placeholder();
        self.hold(placeholder)
    }

    fn subscribe(&mut self, feed: Resource<HeldFeed>) -> Result<Resource<DynPollable>> {
        subscribe(&mut self.table, feed)
    }

    fn camera(&mut self, feed: Resource<HeldFeed>) -> Result<wit::Camera> {
        Ok(camera_now(self.table.get(&feed)?.feed.camera()))
    }

    fn drop(&mut self, feed: Resource<HeldFeed>) -> Result<()> {
        self.table.delete(feed)?;
        self.feeds_held = self.feeds_held.saturating_sub(1);
        Ok(())
    }
}

impl wit::HostFrame for GuestState {
    fn info(&mut self, frame: Resource<HeldFrame>) -> Result<wit::FrameInfo> {
        let frame = self.table.get(&frame)?;
        // A clock before 1970 is a clock that was never set.
        let wall = frame.timestamp.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(wit::FrameInfo {
            sequence: frame.sequence,
            captured_at: nanoseconds(frame.timestamp.monotonic),
            captured_on: Datetime { seconds: wall.as_secs(), nanoseconds: wall.subsec_nanos() },
            dimensions: dimensions(frame.image.dimensions),
            length: frame.image.bytes.len() as u64,
        })
    }

    fn data(&mut self, frame: Resource<HeldFrame>) -> Result<Resource<DynInputStream>> {
        let rest = self.table.get(&frame)?.image.bytes.clone();
        let stream: DynInputStream = Box::new(ImageStream { rest });
        Ok(self.table.push_child(stream, &frame)?)
    }

    fn bytes(&mut self, frame: Resource<HeldFrame>) -> Result<Vec<u8>> {
        Ok(self.table.get(&frame)?.image.bytes.to_vec())
    }

    fn drop(&mut self, frame: Resource<HeldFrame>) -> Result<()> {
        self.table.delete(frame)?;
        self.frames_held = self.frames_held.saturating_sub(1);
        Ok(())
    }
}

impl GuestState {
    /// Give a frame into the guest's hands.
    fn hold(&mut self, frame: Option<HeldFrame>) -> Result<Result<Option<Resource<HeldFrame>>, wit::ErrorCode>> {
        let Some(frame) = frame else { return Ok(Ok(None)) };
        let frame = self.table.push(frame)?;
        self.frames_held += 1;
        Ok(Ok(Some(frame)))
    }
}

/// A watcher in a guest's hands.
pub struct HeldWatcher {
    news: watch::Receiver<u64>,
}

#[async_trait]
impl Pollable for HeldWatcher {
    async fn ready(&mut self) {
        // News that is seen here is still to be given.
        if self.news.changed().await.is_ok() {
            self.news.mark_changed();
        }
    }
}

/// A feed in a guest's hands.
pub struct HeldFeed {
    feed: Feed,
    lifecycle: Lifecycle,
}

impl HeldFeed {
    /// Whether it gives no more frames, since its guest's generation has ended. A guest that streams then waits, with
    /// nothing begun, and is ended between two parts; with frames that are always there for a slow viewer, it would
    /// never come to rest.
    fn is_dry(&self) -> bool {
        *self.lifecycle.phase.borrow() == Phase::Ended
    }
}

#[async_trait]
impl Pollable for HeldFeed {
    async fn ready(&mut self) {
        if self.is_dry() {
            std::future::pending::<()>().await;
        }
        self.feed.ready().await;
    }
}

/// The bytes of an image, to be spliced into a response by reference.
struct ImageStream {
    rest: Bytes,
}

#[async_trait]
impl Pollable for ImageStream {
    async fn ready(&mut self) {}
}

impl InputStream for ImageStream {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.rest.is_empty() {
            return Err(StreamError::Closed);
        }
        Ok(self.rest.split_to(size.min(self.rest.len())))
    }
}

fn camera_now(camera: &Camera) -> wit::Camera {
    let status = camera.status();
    wit::Camera {
        name: camera.name().to_owned(),
        label: camera.label().to_owned(),
        description: camera.description(),
        state: match status.state {
            State::Idle => wit::State::Idle,
            State::Starting => wit::State::Starting,
            State::Live => wit::State::Live,
            State::Lost(outage) => wit::State::Lost(outage_now(&outage)),
        },
        size: status.mode.map(|mode| dimensions(mode.dimensions)),
        rate: status.mode.and_then(|mode| mode.rate),
        format: status.mode.and_then(|mode| mode.format).map(|format| format.to_string()),
        quality: status.mode.and_then(|mode| mode.quality),
        counts: counts(camera.counts()),
    }
}

fn counts(FrameCounts { frames, lost }: FrameCounts) -> wit::Counts {
    let LostFrames { dropped, late, flagged, empty, malformed, corrupt } = lost;
    wit::Counts { frames, dropped, late, flagged, empty, malformed, corrupt }
}

fn outage_now(outage: &Outage) -> wit::Outage {
    let cause = match outage.cause {
        OutageCause::NotFound => wit::OutageCause::NotFound,
        OutageCause::Busy => wit::OutageCause::Busy,
        OutageCause::AccessDenied => wit::OutageCause::AccessDenied,
        OutageCause::Unsupported => wit::OutageCause::Unsupported,
        OutageCause::Stalled => wit::OutageCause::Stalled,
        OutageCause::Failed => wit::OutageCause::Failed,
    };
    wit::Outage { cause, message: outage.message.to_string() }
}

fn dimensions(size: Dimensions) -> wit::Dimensions {
    wit::Dimensions { width: size.width, height: size.height }
}
