//! The host side of `hotshoe:server/channels@0.3.0`.

use std::sync::Arc;

use tracing::warn;
use wasmtime::Result;
use wasmtime::component::{Access, HasSelf, Resource, StreamReader};

use super::bindings::hotshoe::server::channels as wit;
use super::channel_stream::ChannelStream;
use crate::camera::JpegImage;
use crate::channels::{Channels, JoinError, Publisher, Subscription, ViewerOptions};
use crate::sandbox::imports::bindings::hotshoe::server::channels as v0_2;
use crate::sandbox::imports::channels::{MAX_OPTIONS_BYTES, join_error_code};
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
