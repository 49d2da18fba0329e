//! The host side of `hotshoe:server/generations@0.3.0`.

use wasmtime::Result;
use wasmtime::component::{Accessor, HasSelf};

use super::bindings::hotshoe::server::generations as wit;
use super::frames::instant;
use crate::sandbox::imports::bindings::hotshoe::server::generations as v0_2;
use crate::sandbox::lifecycle::Phase;
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {
    fn get_generation(&mut self) -> Result<wit::Generation> {
        let v0_2::Generation { number, since, digest } = v0_2::Host::get_generation(self)?;
        Ok(wit::Generation { number, since: instant(since), digest })
    }
}

impl wit::HostWithStore<GuestState> for HasSelf<GuestState> {
    async fn wait_replaced(accessor: &Accessor<GuestState, Self>) -> Result<()> {
        let lifecycle = accessor.with(|mut access| access.get().lifecycle.clone());
        lifecycle.reaches(Phase::Replaced).await;
        Ok(())
    }
}
