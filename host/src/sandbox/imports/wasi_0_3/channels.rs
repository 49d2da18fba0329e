//! The host side of `hotshoe:server/channels@0.3.0`.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;
use wasmtime::Result;
use wasmtime::component::{Access, Accessor, HasSelf, Resource, StreamReader};

use super::bindings::hotshoe::camera::frames::Frame;
use super::bindings::hotshoe::server::channels as wit;
use super::channel_stream::ChannelStream;
use crate::camera::JpegImage;
use crate::channels::{Channels, JoinError, Publisher, Subscription, ViewerOptions};
use crate::sandbox::imports::bindings::hotshoe::server::channels as v0_2;
use crate::sandbox::imports::channels::{MAX_OPTIONS_BYTES, join_error_code, too_many_images};
use crate::sandbox::imports::frame_parts::FrameParts;
use crate::sandbox::imports::resources::HeldFeed;
use crate::sandbox::state::GuestState;

/// The maximum number of streams that one instance may hold for each request that it answers at the same time. Each
/// keeps a part in memory while the guest reads it. Enough for a guest that combines the streams of several cameras.
const MAX_STREAMS: u32 = 16;

impl wit::Host for GuestState {
    fn count_viewers(&mut self, channel: String) -> Result<u32> {
        v0_2::Host::count_viewers(self, channel)
    }

    fn list_viewers(&mut self, channel: String) -> Result<Vec<wit::Viewer>> {
        let viewers = v0_2::Host::list_viewers(self, channel)?;
        Ok(viewers.into_iter().map(|v0_2::Viewer { label, rate }| wit::Viewer { label, rate }).collect())
    }
}

impl wit::HostWithStore<GuestState> for HasSelf<GuestState> {
    fn join(
        access: Access<'_, GuestState, Self>,
        channel: String,
        options: wit::ViewerOptions,
    ) -> Result<Result<StreamReader<u8>, wit::ErrorCode>> {
        join_with(access, options, |channels, options| channels.join(&channel, options).map(Subscription::Single))
    }

    fn join_all(
        access: Access<'_, GuestState, Self>,
        channels: Vec<String>,
        options: wit::ViewerOptions,
    ) -> Result<Result<StreamReader<u8>, wit::ErrorCode>> {
        join_with(access, options, |all, options| all.join_all(&channels, options).map(Subscription::Merged))
    }
}

/// Calls `join`, and returns a stream of what the viewer is sent.
fn join_with(
    mut access: Access<'_, GuestState, HasSelf<GuestState>>,
    options: wit::ViewerOptions,
    join: impl FnOnce(&Channels, ViewerOptions) -> Result<Subscription, JoinError>,
) -> Result<Result<StreamReader<u8>, wit::ErrorCode>> {
    let state = access.get();
    if !state.can_publish {
        return Ok(Err(wit::ErrorCode::NoPublisher));
    }
    let limit = MAX_STREAMS * state.max_live_requests;
    // The state has one reference itself.
    if Arc::strong_count(&state.channel_streams) > limit as usize {
        return Ok(Err(wit::ErrorCode::TooManyStreams(limit)));
    }
    let wit::ViewerOptions { opening, closing, max_rate, label } = options;
    if opening.len() + closing.len() > MAX_OPTIONS_BYTES {
        return Ok(Err(wit::ErrorCode::OptionsTooLarge(MAX_OPTIONS_BYTES as u64)));
    }
    let options = ViewerOptions { opening: opening.into(), closing: closing.into(), max_rate, label };
    let subscription = match join(&state.channels, options) {
        Ok(subscription) => subscription,
        Err(error) => {
            warn!(generation = state.lifecycle.number, "a viewer cannot join a channel: {error}");
            return Ok(Err(error_code(join_error_code(error))));
        }
    };
    let stream = ChannelStream::new(subscription, state.lifecycle.clone(), state.channel_streams.clone());
    StreamReader::new(access, stream).map(Ok)
}

impl wit::HostChannel for GuestState {
    fn name(&mut self, channel: Resource<Publisher>) -> Result<String> {
        v0_2::HostChannel::name(self, channel)
    }

    fn push(
        &mut self,
        channel: Resource<Publisher>,
        head: Vec<u8>,
        image: Option<Resource<JpegImage>>,
        tail: Vec<u8>,
    ) -> Result<Result<(), wit::ErrorCode>> {
        Ok(v0_2::HostChannel::push(self, channel, head, image, tail)?.map_err(error_code))
    }

    fn drop(&mut self, channel: Resource<Publisher>) -> Result<()> {
        v0_2::HostChannel::drop(self, channel)
    }
}

impl wit::HostChannelWithStore<GuestState> for HasSelf<GuestState> {
    async fn push_frames(
        accessor: &Accessor<GuestState, Self>,
        channel: Resource<Publisher>,
        feed: Resource<HeldFeed>,
        head: Vec<wit::HeadPiece>,
        tail: Vec<u8>,
        timeout_nanoseconds: u64,
    ) -> Result<Result<Option<Frame>, wit::ErrorCode>> {
        let parts = match FrameParts::new(head.into_iter().map(head_piece).collect(), tail) {
            Ok(parts) => parts,
            Err(error) => return Ok(Err(error_code(error))),
        };
        let begun = accessor.with(|mut access| {
            let state = access.get();
            // The state has one reference itself.
            if Arc::strong_count(&state.frame_pushes) > 1 {
                let text = "another call of `push-frames` has not returned";
                return Err(wit::ErrorCode::Other(text.to_owned()));
            }
            if state.may_hold_image() { Ok(state.frame_pushes.clone()) } else { Err(error_code(too_many_images())) }
        });
        let _in_progress = match begun {
            Ok(in_progress) => in_progress,
            Err(error) => return Ok(Err(error)),
        };
        let timeout = Duration::from_nanos(timeout_nanoseconds);
        let pump = accessor.with(|mut access| access.get().frame_pump(&channel, &feed, parts, timeout))?;
        let last = pump.run().await?;
        let Some(last) = last else { return Ok(Ok(None)) };
        // Images that the guest has got in the meantime have left room for this one.
        accessor.with(|mut access| Ok(Ok(Some(access.get().push_frame(&last)?.into()))))
    }
}

fn head_piece(piece: wit::HeadPiece) -> v0_2::HeadPiece {
    match piece {
        wit::HeadPiece::Bytes(bytes) => v0_2::HeadPiece::Bytes(bytes),
        wit::HeadPiece::Length => v0_2::HeadPiece::Length,
        wit::HeadPiece::Sequence => v0_2::HeadPiece::Sequence,
        wit::HeadPiece::WallTime => v0_2::HeadPiece::WallTime,
    }
}

fn error_code(error: v0_2::ErrorCode) -> wit::ErrorCode {
    use v0_2::ErrorCode as E;
    match error {
        E::NoPublisher => wit::ErrorCode::NoPublisher,
        E::InvalidName => wit::ErrorCode::InvalidName,
        E::TooManyChannels(limit) => wit::ErrorCode::TooManyChannels(limit),
        E::InvalidLabel => wit::ErrorCode::InvalidLabel,
        E::PartTooLarge(limit) => wit::ErrorCode::PartTooLarge(limit),
        // About the response bodies of 0.2 only.
        E::AlreadyJoined | E::BodyInUse => wit::ErrorCode::Other("the body of the response is in use".to_owned()),
        E::Other(text) => wit::ErrorCode::Other(text),
    }
}
