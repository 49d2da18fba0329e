//! The most recent entries of a camera's history.

use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::cameras::CameraInfo;
use crate::bindings::hotshoe::camera::history::{Entry, list_entries};

/// The number of entries to read at a time, about 60 kB.
const CHUNK_ENTRIES: u32 = 1024;

/// The entries of a camera that were captured at this monotonic time or later, oldest first, without those that follow
/// while they are read. Only a chunk is in memory at a time.
pub fn entries_since(camera: &CameraInfo, time: u64) -> impl Iterator<Item = Entry> {
    let end = camera.counts.frames;
    let mut next = first_since(camera, time);
    let chunks = core::iter::from_fn(move || {
        let limit = CHUNK_ENTRIES.min(u32::try_from(end.saturating_sub(next)).unwrap_or(CHUNK_ENTRIES));
        let entries = list(camera, next, limit);
        next = entries.last()?.index + 1;
        Some(entries)
    });
    chunks.flatten().take_while(move |entry| entry.index < end)
}

/// Returns the index of the first entry that was captured at this time or later.
fn first_since(camera: &CameraInfo, time: u64) -> u64 {
    let (mut low, mut high) = (0, camera.counts.frames);
    while low < high {
        let middle = low + (high - low) / 2;
        // If the entry is forgotten, this is the oldest one.
        match list(camera, middle, 1).first() {
            Some(entry) if entry.monotonic_time < time => low = entry.index + 1,
            _ => high = middle,
        }
    }
    low
}

fn list(camera: &CameraInfo, first: u64, limit: u32) -> Vec<Entry> {
    // The camera exists, so this cannot fail.
    list_entries(&camera.name, first, limit).unwrap_or_default()
}
