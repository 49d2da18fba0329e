//! The host side of `hotshoe:server/generations`.

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::async_trait;

use super::bindings::hotshoe::server::generations as wit;
use super::frames::wall_time;
use crate::sandbox::lifecycle::{Lifecycle, Phase};
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {
    fn get_generation(&mut self) -> Result<wit::Generation> {
        Ok(wit::Generation {
            number: self.lifecycle.number,
            since: wall_time(self.lifecycle.since),
            digest: self.lifecycle.digest.to_string(),
        })
    }

    fn subscribe_replaced(&mut self) -> Result<Resource<DynPollable>> {
        let replacement = self.table.push(Replacement(self.lifecycle.clone()))?;
        subscribe(&mut self.table, replacement)
    }
}

/// Becomes ready when the generation is replaced.
struct Replacement(Lifecycle);

#[async_trait]
impl Pollable for Replacement {
    async fn ready(&mut self) {
        self.0.clone().reaches(Phase::Replaced).await;
    }
}
