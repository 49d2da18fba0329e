//! The host's side of `hotshoe:camera/cameras`: what guests see of [`crate::camera`].
//!
//! What each function promises is said in `wit/cameras.wit`; here stands only how it is kept.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::{DynInputStream, DynPollable, InputStream, Pollable, StreamError, StreamResult, subscribe};
use wasmtime_wasi_io::async_trait;

use super::bindings::HeldFrame;
use super::bindings::hotshoe::camera::cameras as wit;
use super::instance::{Instance, nanoseconds};
use crate::camera::hub::{Outage, OutageCause};
use crate::camera::{Camera, Dimensions, Feed, State};

/// The most feeds that one instance may hold: a page that mixes some cameras into one picture has room.
const FEEDS: u32 = 16;

/// The most frames that one instance may hold. Each may be several megabytes of the host's memory.
const FRAMES: u32 = 16;

impl wit::Host for Instance {
    fn list_cameras(&mut self) -> Result<Vec<wit::Camera>> {
        Ok(self.cameras.iter().map(|camera| camera_now(camera)).collect())
    }
}

impl wit::HostFeed for Instance {
    fn open(&mut self, name: String) -> Result<Result<Resource<Feed>, wit::ErrorCode>> {
        let Some(camera) = self.cameras.get(&name) else { return Ok(Err(wit::ErrorCode::UnknownCamera)) };
        if self.feeds_held >= FEEDS {
            return Ok(Err(wit::ErrorCode::TooManyFeeds(FEEDS)));
        }
        let feed = camera.feed();
        let feed = self.table.push(feed)?;
        self.feeds_held += 1;
        Ok(Ok(feed))
    }

    fn next(&mut self, feed: Resource<Feed>) -> Result<Result<Option<Resource<HeldFrame>>, wit::ErrorCode>> {
        if self.frames_held >= FRAMES {
            return Ok(Err(wit::ErrorCode::TooManyFrames(FRAMES)));
        }
        let frame = self.table.get_mut(&feed)?.newest();
        self.hold(frame)
    }

    async fn blocking_next(
        &mut self,
        feed: Resource<Feed>,
        timeout_nanoseconds: u64,
    ) -> Result<Result<Option<Resource<HeldFrame>>, wit::ErrorCode>> {
        if self.frames_held >= FRAMES {
            return Ok(Err(wit::ErrorCode::TooManyFrames(FRAMES)));
        }
        let frame = self.table.get_mut(&feed)?.next(Duration::from_nanos(timeout_nanoseconds)).await;
        self.hold(frame)
    }

    fn subscribe(&mut self, feed: Resource<Feed>) -> Result<Resource<DynPollable>> {
        subscribe(&mut self.table, feed)
    }

    fn camera(&mut self, feed: Resource<Feed>) -> Result<wit::Camera> {
        Ok(camera_now(self.table.get(&feed)?.camera()))
    }

    fn drop(&mut self, feed: Resource<Feed>) -> Result<()> {
        self.table.delete(feed)?;
        self.feeds_held = self.feeds_held.saturating_sub(1);
        Ok(())
    }
}

impl wit::HostFrame for Instance {
    fn info(&mut self, frame: Resource<HeldFrame>) -> Result<wit::FrameInfo> {
        let frame = self.table.get(&frame)?;
        // A clock before 1970 is a clock that was never set.
        let wall = frame.captured.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(wit::FrameInfo {
            sequence: frame.sequence,
            captured_at: nanoseconds(frame.captured.monotonic),
            captured_on: Datetime { seconds: wall.as_secs(), nanoseconds: wall.subsec_nanos() },
            dimensions: dimensions(frame.picture.dimensions),
            length: frame.picture.jpeg.len() as u64,
        })
    }

    fn data(&mut self, frame: Resource<HeldFrame>) -> Result<Resource<DynInputStream>> {
        let rest = self.table.get(&frame)?.picture.jpeg.clone();
        let stream: DynInputStream = Box::new(ImageStream { rest });
        Ok(self.table.push_child(stream, &frame)?)
    }

    fn bytes(&mut self, frame: Resource<HeldFrame>) -> Result<Vec<u8>> {
        Ok(self.table.get(&frame)?.picture.jpeg.to_vec())
    }

    fn drop(&mut self, frame: Resource<HeldFrame>) -> Result<()> {
        self.table.delete(frame)?;
        self.frames_held = self.frames_held.saturating_sub(1);
        Ok(())
    }
}

impl Instance {
    /// Give a frame into the guest's hands.
    fn hold(&mut self, frame: Option<HeldFrame>) -> Result<Result<Option<Resource<HeldFrame>>, wit::ErrorCode>> {
        let Some(frame) = frame else { return Ok(Ok(None)) };
        let frame = self.table.push(frame)?;
        self.frames_held += 1;
        Ok(Ok(Some(frame)))
    }
}

#[async_trait]
impl Pollable for Feed {
    async fn ready(&mut self) {
        Feed::ready(self).await;
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
        description: camera.description(),
        state: match status.state {
            State::Idle => wit::State::Idle,
            State::Starting => wit::State::Starting,
            State::Live => wit::State::Live,
            State::Lost(outage) => wit::State::Lost(outage_now(&outage)),
        },
        size: status.mode.map(|mode| dimensions(mode.dimensions)),
        rate: status.mode.and_then(|mode| mode.rate),
    }
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
