//! The host's side of `hotshoe:camera/generations`: what a guest can know about itself.
//!
//! What each function promises is said in `wit/generations.wit`; here stands only how it is kept.

use std::time::UNIX_EPOCH;

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::async_trait;

use super::bindings::hotshoe::camera::generations as wit;
use crate::sandbox::lifecycle::{Lifecycle, Phase};
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {
    fn own_generation(&mut self) -> Result<wit::Generation> {
        let since = self.lifecycle.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(wit::Generation {
            number: self.lifecycle.number,
            since: Datetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() },
            digest: self.lifecycle.digest.to_string(),
        })
    }

    fn subscribe_replaced(&mut self) -> Result<Resource<DynPollable>> {
        let replacement = self.table.push(Replacement(self.lifecycle.clone()))?;
        subscribe(&mut self.table, replacement)
    }
}

/// What a guest waits for that wants to know when it was replaced.
struct Replacement(Lifecycle);

#[async_trait]
impl Pollable for Replacement {
    async fn ready(&mut self) {
        self.0.clone().reaches(Phase::Replaced).await;
    }
}
