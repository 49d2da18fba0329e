//! The actual frame rate of a camera, measured from the history of its frames without opening it.

use crate::bindings::hotshoe::camera::cameras::CameraInfo;
use crate::bindings::hotshoe::camera::history::{Entry, list_entries};
use crate::bindings::wasi::clocks::monotonic_clock;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// The maximum number of frames to consider: more than a second of all but the fastest cameras.
const MAX_ENTRIES: u32 = 128;

/// The result of a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// The recent frame rate in frames per second, 0 if no frames arrive.
    pub frame_rate: f64,
    /// The age of the last frame, or `None` if there was no frame yet.
    pub age_nanoseconds: Option<u64>,
}

/// Measures a camera.
pub fn measure(camera: &CameraInfo) -> Measurement {
    let first = camera.counts.frames.saturating_sub(MAX_ENTRIES.into());
    // The camera exists, so this cannot fail.
    let entries = list_entries(&camera.name, first, MAX_ENTRIES).unwrap_or_default();
    measure_entries(&entries, monotonic_clock::now())
}

/// Computes the rate over the last second, or from the last two frames if there are fewer in a second.
fn measure_entries(entries: &[Entry], now: u64) -> Measurement {
    let Some(last) = entries.last() else { return Measurement { frame_rate: 0.0, age_nanoseconds: None } };
    let age = now.saturating_sub(last.monotonic_time);
    let first = entries
        .partition_point(|entry| entry.monotonic_time.saturating_add(NANOSECONDS_PER_SECOND) < last.monotonic_time);
    let first = first.min(entries.len().saturating_sub(2));
    let intervals = (entries.len() - 1 - first) as f64;
    let span = entries.get(first).map_or(0, |first| last.monotonic_time.saturating_sub(first.monotonic_time)) as f64;
    // The frames have stopped if the last one is much older than the usual interval.
    let has_stopped = age > 2 * NANOSECONDS_PER_SECOND && age as f64 * intervals > 3.0 * span;
    let frame_rate = if span > 0.0 && !has_stopped { intervals / span * NANOSECONDS_PER_SECOND as f64 } else { 0.0 };
    Measurement { frame_rate, age_nanoseconds: Some(age) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::hotshoe::camera::history::Datetime;
    use alloc::vec::Vec;

    const MILLISECOND: u64 = 1_000_000;

    fn rate(milliseconds: &[u64], now: u64) -> f64 {
        let entry = |(index, at): (usize, &u64)| Entry {
            index: index as u64,
            sequence: index as u64,
            monotonic_time: at * MILLISECOND,
            wall_time: Datetime { seconds: 0, nanoseconds: 0 },
            length: 1,
            lost_before: 0,
        };
        let entries: Vec<_> = milliseconds.iter().enumerate().map(entry).collect();
        measure_entries(&entries, now * MILLISECOND).frame_rate
    }

    #[test]
    fn the_rate_is_measured_over_the_last_second() {
        let steady: Vec<_> = (0..100).map(|number| number * 50).collect();
        assert_eq!(rate(&steady, 4950), 20.0);
        let slower: Vec<_> = (0..50).map(|number| number * 20).chain((10..20).map(|number| number * 100)).collect();
        assert_eq!(rate(&slower, 1900).round(), 14.0);
    }

    #[test]
    fn slow_cameras_have_a_rate_and_stopped_cameras_do_not() {
        assert_eq!(rate(&[0, 5000, 10_000], 14_000), 0.2);
        assert_eq!(rate(&[0, 5000, 10_000], 26_000), 0.0);
        assert_eq!(rate(&[0, 50, 100], 150), 20.0);
        assert_eq!(rate(&[0, 50, 100], 2200), 0.0);
        assert_eq!((rate(&[], 100), rate(&[50], 100)), (0.0, 0.0));
    }

    #[test]
    fn without_frames_there_is_no_age() {
        assert_eq!(measure_entries(&[], 5).age_nanoseconds, None);
    }
}
