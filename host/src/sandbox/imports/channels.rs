//! The host's side of `hotshoe:camera/channels`: how guests share their streams.
//!
//! What each function promises is said in `wit/channels.wit`; here stands only how it is kept.

use std::sync::PoisonError;

use bytes::Bytes;
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::body::HostOutgoingBody;

use super::bindings::HeldFrame;
use super::bindings::hotshoe::camera::channels as wit;
use crate::channels::{Channels, JoinError, Joined, Part, Publisher, ViewerOptions};
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {
    fn join(
        &mut self,
        body: Resource<HostOutgoingBody>,
        channel: String,
        viewing: wit::Viewing,
    ) -> wasmtime::Result<Result<(), wit::ErrorCode>> {
        self.join_by(body, viewing, |channels, viewing| channels.join(&channel, viewing).map(Joined::One))
    }

    fn join_all(
        &mut self,
        body: Resource<HostOutgoingBody>,
        channels: Vec<String>,
        viewing: wit::Viewing,
    ) -> wasmtime::Result<Result<(), wit::ErrorCode>> {
        self.join_by(body, viewing, |all, viewing| all.join_all(&channels, viewing).map(Joined::Several))
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
    /// Give the body of the response to what `join` returns.
    fn join_by(
        &mut self,
        body: Resource<HostOutgoingBody>,
        viewing: wit::Viewing,
        join: impl FnOnce(&Channels, ViewerOptions) -> Result<Joined, JoinError>,
    ) -> wasmtime::Result<Result<(), wit::ErrorCode>> {
        // What is written to the response comes from the channel, so nothing can come from the guest any more.
        self.table.delete(body)?;
        if !self.can_publish {
            return Ok(Err(wit::ErrorCode::NoPublisher));
        }
        let mut joined = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        if joined.is_some() {
            return Ok(Err(wit::ErrorCode::AlreadyJoined));
        }
        let wit::Viewing { opening, closing, maximal_rate, label } = viewing;
        let viewing = ViewerOptions { opening: opening.into(), closing: closing.into(), maximal_rate, label };
        let viewer = join(&self.channels, viewing);
        Ok(viewer.map(|viewer| *joined = Some(viewer)).map_err(|error| match error {
            JoinError::Name => wit::ErrorCode::InvalidName,
            JoinError::TooMany(limit) => wit::ErrorCode::TooManyChannels(limit),
            JoinError::Label => wit::ErrorCode::InvalidLabel,
        }))
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
        frame: Option<Resource<HeldFrame>>,
        tail: Vec<u8>,
    ) -> wasmtime::Result<()> {
        let image = match frame {
            Some(frame) => self.table.get(&frame)?.image.bytes.clone(),
            None => Bytes::new(),
        };
        self.table.get(&channel)?.push(Part::new(head.into(), image, tail.into()));
        Ok(())
    }

    fn drop(&mut self, channel: Resource<Publisher>) -> wasmtime::Result<()> {
        self.table.delete(channel)?;
        Ok(())
    }
}
