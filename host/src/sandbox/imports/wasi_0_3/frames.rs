//! The host side of `hotshoe:camera/frames@0.3.0`.

use std::any::{Any, TypeId};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use wasmtime::component::{Access, Destination, HasSelf, Resource, StreamProducer, StreamReader, StreamResult};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p3::bindings::clocks::system_clock::Instant;

use super::bindings::hotshoe::camera::frames as wit;
use crate::camera::JpegImage;
use crate::sandbox::imports::bindings::hotshoe::camera::frames as v0_2;
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {}

impl wit::HostImage for GuestState {
    fn info(&mut self, image: Resource<JpegImage>) -> Result<wit::ImageInfo> {
        let v0_2::ImageInfo { encoding, dimensions, length } = v0_2::HostImage::info(self, image)?;
        let encoding = match encoding {
            v0_2::Encoding::Jpeg => wit::Encoding::Jpeg,
            v0_2::Encoding::Fourcc(code) => wit::Encoding::Fourcc(code),
        };
        Ok(wit::ImageInfo { encoding, dimensions: dimensions.into(), length })
    }

    fn read(&mut self, image: Resource<JpegImage>) -> Result<Vec<u8>> {
        v0_2::HostImage::read(self, image)
    }

    fn drop(&mut self, image: Resource<JpegImage>) -> Result<()> {
        v0_2::HostImage::drop(self, image)
    }
}

impl wit::HostImageWithStore<GuestState> for HasSelf<GuestState> {
    fn bytes(mut access: Access<'_, GuestState, Self>, image: Resource<JpegImage>) -> Result<StreamReader<u8>> {
        let state = access.get();
        let bytes = state.table.get(&image)?.bytes.clone();
        let bytes = Bytes::from_owner(StreamBytes { bytes, _count: state.image_streams.clone() });
        StreamReader::new(access, ImageBytes(bytes))
    }
}

/// The bytes of an image in a stream. They count as an image of the instance for as long as they exist.
struct StreamBytes {
    bytes: Bytes,
    _count: Arc<()>,
}

impl AsRef<[u8]> for StreamBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The bytes of an image. If their stream becomes the body of a response, the host gets them back, and they do not pass
/// through the guest.
pub(in crate::sandbox) struct ImageBytes(pub(in crate::sandbox) Bytes);

impl<D: 'static> StreamProducer<D> for ImageBytes {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: StoreContextMut<'a, D>,
        mut destination: Destination<'a, u8, Bytes>,
        _: bool,
    ) -> Poll<Result<StreamResult>> {
        destination.set_buffer(std::mem::take(&mut self.0));
        Poll::Ready(Ok(StreamResult::Dropped))
    }

    fn try_into(this: Pin<Box<Self>>, wanted: TypeId) -> std::result::Result<Box<dyn Any>, Pin<Box<Self>>> {
        // After a read, Wasmtime holds the rest.
        if wanted != TypeId::of::<Self>() || this.0.is_empty() {
            return Err(this);
        }
        let this: Box<Self> = Pin::into_inner(this);
        Ok(this)
    }
}

impl From<v0_2::Dimensions> for wit::Dimensions {
    fn from(v0_2::Dimensions { width, height }: v0_2::Dimensions) -> Self {
        Self { width, height }
    }
}

impl From<v0_2::Frame> for wit::Frame {
    fn from(v0_2::Frame { sequence, monotonic_time, wall_time, image }: v0_2::Frame) -> Self {
        Self { sequence, monotonic_time, wall_time: instant(wall_time), image }
    }
}

/// Converts a time of day. It cannot overflow before the year 292 billion.
pub(super) fn instant(Datetime { seconds, nanoseconds }: Datetime) -> Instant {
    Instant { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanoseconds }
}
