//! The host's side of `hotshoe:camera/instances`: a guest's permission to use an instance again.
//!
//! What the function promises is said in `wit/instances.wit`; `spares.rs` keeps it.

use wasmtime::Result;

use super::bindings::hotshoe::camera::instances as wit;
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {
    fn keep(&mut self) -> Result<()> {
        self.reuse_allowed = true;
        Ok(())
    }
}
