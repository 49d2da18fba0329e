//! The host side of `hotshoe:server/channels`.

use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use tracing::warn;
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::body::HostOutgoingBody;

use super::bindings::hotshoe::camera::frames::Frame as WitFrame;
use super::bindings::hotshoe::server::channels as wit;
use super::frame_parts::{FrameParts, MAX_PART_BYTES};
use super::frame_pump::FramePump;
use super::resources::HeldFeed;
use crate::camera::JpegImage;
use crate::channels::{Channels, JoinError, Part, Publisher, Subscription, ViewerOptions};
use crate::sandbox::state::GuestState;

/// The maximum length of a viewer's opening and closing together, in bytes. They hold boundaries, which have 72 bytes
/// at most (RFC 2046, section 5.1.1), and perhaps a few events. Viewers keep them after the instance has ended, and with
/// WASI 0.3, all streams of an instance together have 16 MiB of them.
pub(super) const MAX_OPTIONS_BYTES: usize = 64 << 10;

impl wit::Host for GuestState {
    fn join(
        &mut self,
        body: Resource<HostOutgoingBody>,
        channel: String,
        options: wit::ViewerOptions,
    ) -> wasmtime::Result<Result<(), wit::ErrorCode>> {
        self.join_with(body, options, |channels, options| channels.join(&channel, options).map(Subscription::Single))
    }

    fn join_all(
        &mut self,
        body: Resource<HostOutgoingBody>,
        channels: Vec<String>,
        options: wit::ViewerOptions,
    ) -> wasmtime::Result<Result<(), wit::ErrorCode>> {
        self.join_with(body, options, |all, options| all.join_all(&channels, options).map(Subscription::Merged))
    }

    fn count_viewers(&mut self, channel: String) -> wasmtime::Result<u32> {
        Ok(u32::try_from(self.channels.count_viewers(&channel)).unwrap_or(u32::MAX))
    }

    fn list_viewers(&mut self, channel: String) -> wasmtime::Result<Vec<wit::Viewer>> {
        let viewers = self.channels.list_viewers(&channel);
        Ok(viewers.into_iter().map(|(label, rate)| wit::Viewer { label, rate }).collect())
    }
}

impl GuestState {
    /// Calls `join`, and lets the channels that it joins write the body of the response.
    fn join_with(
        &mut self,
        body: Resource<HostOutgoingBody>,
        options: wit::ViewerOptions,
        join: impl FnOnce(&Channels, ViewerOptions) -> Result<Subscription, JoinError>,
    ) -> wasmtime::Result<Result<(), wit::ErrorCode>> {
        let is_in_use = self.table.get_mut(&body)?.take_output_stream().is_none();
        // The channel writes the body, so the guest must not. Deleting it fails while the guest holds its stream.
        let deleted = self.table.delete(body);
        if is_in_use {
            // The guest can still respond with another body, or with this one, which it cannot finish any more.
            return Ok(Err(wit::ErrorCode::BodyInUse));
        }
        deleted?;
        if !self.can_publish {
            return Ok(Err(wit::ErrorCode::NoPublisher));
        }
        // The body of which response it would be is unknown.
        if self.max_live_requests > 1 {
            let text = "this instance handles several requests at once; use hotshoe:server/channels@0.3.0";
            return Ok(Err(wit::ErrorCode::Other(text.to_owned())));
        }
        let mut subscription = self.subscription.lock().unwrap_or_else(PoisonError::into_inner);
        if subscription.is_some() {
            return Ok(Err(wit::ErrorCode::AlreadyJoined));
        }
        let generation = self.lifecycle.number;
        let wit::ViewerOptions { opening, closing, max_rate, label } = options;
        if opening.len() + closing.len() > MAX_OPTIONS_BYTES {
            let text = format!("the opening and the closing of the viewer exceed {} KiB", MAX_OPTIONS_BYTES >> 10);
            return Ok(Err(wit::ErrorCode::Other(text)));
        }
        let options = ViewerOptions { opening: opening.into(), closing: closing.into(), max_rate, label };
        match join(&self.channels, options) {
            Ok(joined) => *subscription = Some(joined),
            Err(error) => {
                warn!(generation, "a viewer cannot join a channel: {error}");
                return Ok(Err(join_error_code(error)));
            }
        }
        Ok(Ok(()))
    }
}

/// Converts the error of a viewer that cannot join a channel.
pub(super) fn join_error_code(error: JoinError) -> wit::ErrorCode {
    match error {
        JoinError::Name => wit::ErrorCode::InvalidName,
        JoinError::TooMany(limit) => wit::ErrorCode::TooManyChannels(limit),
        JoinError::Label => wit::ErrorCode::InvalidLabel,
    }
}

impl wit::HostChannel for GuestState {
    fn name(&mut self, channel: Resource<Publisher>) -> wasmtime::Result<String> {
        Ok(self.table.get(&channel)?.name().to_owned())
    }

    fn push(
        &mut self,
        channel: Resource<Publisher>,
        head: Vec<u8>,
        image: Option<Resource<JpegImage>>,
        tail: Vec<u8>,
    ) -> wasmtime::Result<Result<(), wit::ErrorCode>> {
        if head.len() + tail.len() > MAX_PART_BYTES {
            return Ok(Err(wit::ErrorCode::PartTooLarge(MAX_PART_BYTES as u64)));
        }
        let image = match image {
            Some(image) => self.table.get(&image)?.bytes.clone(),
            None => Bytes::new(),
        };
        self.table.get(&channel)?.push(Part::new(head.into(), image, tail.into()));
        Ok(Ok(()))
    }

    async fn push_frames(
        &mut self,
        channel: Resource<Publisher>,
        feed: Resource<HeldFeed>,
        head: Vec<wit::HeadPiece>,
        tail: Vec<u8>,
        timeout_nanoseconds: u64,
    ) -> wasmtime::Result<Result<Option<WitFrame>, wit::ErrorCode>> {
        let parts = match FrameParts::new(head, tail) {
            Ok(parts) => parts,
            Err(error) => return Ok(Err(error)),
        };
        if !self.may_hold_image() {
            return Ok(Err(too_many_images()));
        }
        let timeout = Duration::from_nanos(timeout_nanoseconds);
        let last = self.frame_pump(&channel, &feed, parts, timeout)?.run().await?;
        last.map(|frame| self.push_frame(&frame)).transpose().map(Ok)
    }

    fn drop(&mut self, channel: Resource<Publisher>) -> wasmtime::Result<()> {
        self.table.delete(channel)?;
        Ok(())
    }
}

impl GuestState {
    /// Returns what pushes the frames of a feed to a channel.
    pub(super) fn frame_pump(
        &self,
        channel: &Resource<Publisher>,
        feed: &Resource<HeldFeed>,
        parts: FrameParts,
        timeout: Duration,
    ) -> wasmtime::Result<FramePump> {
        let (publisher, feed) = (self.table.get(channel)?.clone(), self.table.get(feed)?.clone());
        Ok(FramePump { publisher, feed, parts, timeout, usage: self.limits.usage().clone() })
    }
}

/// The error of `push-frames` if it could not return an image.
pub(super) fn too_many_images() -> wit::ErrorCode {
    wit::ErrorCode::Other("the component holds the maximum number of images; drop one first".to_owned())
}
