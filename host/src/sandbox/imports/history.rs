//! The host side of `hotshoe:camera/history`.

use wasmtime::Result;

use super::bindings::hotshoe::camera::history as wit;
use super::frames::wall_time;
use crate::camera::history::FrameRecord;
use crate::sandbox::clock::nanoseconds;
use crate::sandbox::state::GuestState;

/// The maximum number of entries returned by one call. They occupy 56 KiB of the guest's memory.
const MAX_ENTRIES: u32 = 1024;

impl wit::Host for GuestState {
    fn list_entries(
        &mut self,
        camera: String,
        first: u64,
        limit: u32,
    ) -> Result<Result<Vec<wit::Entry>, wit::ErrorCode>> {
        let Some(camera) = self.cameras.get(&camera) else { return Ok(Err(wit::ErrorCode::UnknownCamera)) };
        let entries = camera.history(first, limit.min(MAX_ENTRIES) as usize);
        Ok(Ok(entries.into_iter().map(entry).collect()))
    }
}

fn entry(record: FrameRecord) -> wit::Entry {
    wit::Entry {
        index: record.index,
        sequence: record.sequence,
        monotonic_time: nanoseconds(record.timestamp.monotonic),
        wall_time: wall_time(record.timestamp.wall),
        length: record.length.into(),
        lost_before: record.lost_before.into(),
    }
}
