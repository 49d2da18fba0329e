//! The host side of `hotshoe:server/instances`. [`IdleInstances`](crate::sandbox::call::idle_instances) acts on the
//! permission.

use wasmtime::Result;

use super::bindings::hotshoe::server::instances as wit;
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {
    fn allow_reuse(&mut self) -> Result<()> {
        self.reuse_allowed = self.may_be_reused;
        Ok(())
    }
}
