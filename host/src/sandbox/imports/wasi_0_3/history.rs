//! The host side of `hotshoe:camera/history@0.3.0`.

use wasmtime::Result;

use super::bindings::hotshoe::camera::history as wit;
use super::frames::instant;
use crate::sandbox::imports::bindings::hotshoe::camera::history as v0_2;
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {
    fn list_entries(
        &mut self,
        camera: String,
        first: u64,
        limit: u32,
    ) -> Result<Result<Vec<wit::Entry>, wit::ErrorCode>> {
        let entries = v0_2::Host::list_entries(self, camera, first, limit)?;
        Ok(match entries {
            Ok(entries) => Ok(entries.into_iter().map(entry).collect()),
            Err(v0_2::ErrorCode::UnknownCamera) => Err(wit::ErrorCode::UnknownCamera),
            Err(v0_2::ErrorCode::Other(text)) => Err(wit::ErrorCode::Other(text)),
        })
    }
}

fn entry(entry: v0_2::Entry) -> wit::Entry {
    let v0_2::Entry { index, sequence, monotonic_time, wall_time, length, lost_before } = entry;
    wit::Entry { index, sequence, monotonic_time, wall_time: instant(wall_time), length, lost_before }
}
