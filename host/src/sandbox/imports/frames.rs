//! The host side of `hotshoe:camera/frames`.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::{DynInputStream, InputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi_io::async_trait;

use super::bindings::hotshoe::camera::cameras::ErrorCode;
use super::bindings::hotshoe::camera::frames as wit;
use crate::camera::{Dimensions, Frame, JpegImage};
use crate::sandbox::clock::nanoseconds;
use crate::sandbox::state::GuestState;

/// The maximum number of images that one instance may hold for each request that it handles at the same time. Each can
/// occupy several megabytes of the host's memory.
pub(in crate::sandbox) const MAX_IMAGES: u32 = 16;

impl wit::Host for GuestState {}

impl wit::HostImage for GuestState {
    fn info(&mut self, image: Resource<JpegImage>) -> Result<wit::ImageInfo> {
        let image = self.table.get(&image)?;
        Ok(wit::ImageInfo {
            encoding: wit::Encoding::Jpeg,
            dimensions: dimensions(image.dimensions),
            length: image.bytes.len() as u64,
        })
    }

    fn read(&mut self, image: Resource<JpegImage>) -> Result<Vec<u8>> {
        Ok(self.table.get(&image)?.bytes.to_vec())
    }

    fn read_via_stream(&mut self, image: Resource<JpegImage>) -> Result<Resource<DynInputStream>> {
        let remaining = self.table.get(&image)?.bytes.clone();
        let stream: DynInputStream = Box::new(ImageStream { remaining });
        Ok(self.table.push_child(stream, &image)?)
    }

    fn drop(&mut self, image: Resource<JpegImage>) -> Result<()> {
        self.take_image(image).map(drop)
    }
}

impl GuestState {
    /// Fails if the guest must drop an image before it can receive another one.
    pub(super) fn check_images_held(&self) -> Result<(), ErrorCode> {
        let limit = MAX_IMAGES * self.max_live_requests;
        let streams = Arc::strong_count(&self.image_streams) - 1;
        // Each call of `push-frames` may return a frame.
        let pushes = Arc::strong_count(&self.frame_pushes) - 1;
        let others = u32::try_from(streams + pushes).unwrap_or(u32::MAX);
        if self.images_held.saturating_add(others) < limit { Ok(()) } else { Err(ErrorCode::TooManyImages(limit)) }
    }

    /// Whether the guest may receive another image before it drops one.
    pub(in crate::sandbox) fn may_hold_image(&self) -> bool {
        self.check_images_held().is_ok()
    }

    /// Passes an image to the guest.
    pub(super) fn push_image(&mut self, image: JpegImage) -> Result<Resource<JpegImage>> {
        let image = self.table.push(image)?;
        self.images_held += 1;
        Ok(image)
    }

    /// Takes an image back from the guest.
    pub(in crate::sandbox) fn take_image(&mut self, image: Resource<JpegImage>) -> Result<JpegImage> {
        let image = self.table.delete(image)?;
        self.images_held = self.images_held.saturating_sub(1);
        Ok(image)
    }

    /// Passes a frame to the guest.
    pub(in crate::sandbox) fn push_frame(&mut self, frame: &Frame) -> Result<wit::Frame> {
        Ok(wit::Frame {
            sequence: frame.sequence,
            monotonic_time: nanoseconds(frame.timestamp.monotonic),
            wall_time: wall_time(frame.timestamp.wall),
            image: self.push_image(frame.image.clone())?,
        })
    }
}

pub(super) fn dimensions(dimensions: Dimensions) -> wit::Dimensions {
    wit::Dimensions { width: dimensions.width, height: dimensions.height }
}

/// Converts a time of day. A time before 1970 becomes 1970: the clock was never set.
pub(super) fn wall_time(time: SystemTime) -> Datetime {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Datetime { seconds: since_1970.as_secs(), nanoseconds: since_1970.subsec_nanos() }
}

/// The bytes of an image. Splicing them into a response does not copy them.
struct ImageStream {
    remaining: Bytes,
}

#[async_trait]
impl Pollable for ImageStream {
    async fn ready(&mut self) {}
}

impl InputStream for ImageStream {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.remaining.is_empty() {
            return Err(StreamError::Closed);
        }
        Ok(self.remaining.split_to(size.min(self.remaining.len())))
    }
}
