//! The host's side of `hotshoe:camera/history`: what guests see of [`crate::camera::history`].
//!
//! What each function promises is said in `wit/history.wit`; here stands only how it is kept.

use std::time::UNIX_EPOCH;

use wasmtime::Result;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;

use super::bindings::hotshoe::camera::cameras::ErrorCode;
use super::bindings::hotshoe::camera::history as wit;
use crate::camera::history::FrameRecord;
use crate::sandbox::clock::nanoseconds;
use crate::sandbox::state::GuestState;

/// The most entries that are given at a time: 48 KiB of the guest's memory.
const ENTRIES: u32 = 1024;

impl wit::Host for GuestState {
    fn list_entries(&mut self, camera: String, first: u64, limit: u32) -> Result<Result<Vec<wit::Entry>, ErrorCode>> {
        let Some(camera) = self.cameras.get(&camera) else { return Ok(Err(ErrorCode::UnknownCamera)) };
        let entries = camera.history(first, limit.min(ENTRIES) as usize);
        Ok(Ok(entries.into_iter().map(entry).collect()))
    }
}

fn entry(entry: FrameRecord) -> wit::Entry {
    let wall = entry.timestamp.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    wit::Entry {
        index: entry.index,
        sequence: entry.sequence,
        captured_at: nanoseconds(entry.timestamp.monotonic),
        captured_on: Datetime { seconds: wall.as_secs(), nanoseconds: wall.subsec_nanos() },
        length: entry.length.into(),
        lost_before: entry.lost_before.into(),
    }
}
