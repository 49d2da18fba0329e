//! What a camera really gives, measured on its last frames. Does not open it.

use crate::bindings::hotshoe::camera::cameras::CameraInfo;
use crate::bindings::hotshoe::camera::history::{Entry, list_entries};
use crate::bindings::wasi::clocks::monotonic_clock;

const SECOND_NANOSECONDS: u64 = 1_000_000_000;

/// The most frames that are looked at: more than a second of all but the fastest cameras.
const ENTRIES: u32 = 128;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Frames per second of late; 0 where none come.
    pub rate: f64,
    /// How long ago the last frame was captured; none where there was none.
    pub age_nanoseconds: Option<u64>,
}

/// Measure this camera.
pub fn measure(camera: &CameraInfo) -> Measured {
    let first = camera.counts.frames.saturating_sub(ENTRIES.into());
    // The camera is there, so this does not fail.
    let entries = list_entries(&camera.name, first, ENTRIES).unwrap_or_default();
    of_entries(&entries, monotonic_clock::now())
}

/// The rate over the last second, or of the last two frames where a second has fewer.
fn of_entries(entries: &[Entry], now: u64) -> Measured {
    let Some(last) = entries.last() else { return Measured { rate: 0.0, age_nanoseconds: None } };
    let age = now.saturating_sub(last.monotonic_time);
    let first =
        entries.partition_point(|entry| entry.monotonic_time.saturating_add(SECOND_NANOSECONDS) < last.monotonic_time);
    let first = first.min(entries.len().saturating_sub(2));
    let intervals = (entries.len() - 1 - first) as f64;
    let span = entries.get(first).map_or(0, |first| last.monotonic_time.saturating_sub(first.monotonic_time)) as f64;
    // One that has given nothing for much longer than it used to gives nothing.
    let is_over = age > 2 * SECOND_NANOSECONDS && age as f64 * intervals > 3.0 * span;
    let rate = if span > 0.0 && !is_over { intervals / span * SECOND_NANOSECONDS as f64 } else { 0.0 };
    Measured { rate, age_nanoseconds: Some(age) }
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
        of_entries(&entries, now * MILLISECOND).rate
    }

    #[test]
    fn the_rate_is_that_of_the_last_second() {
        let steady: Vec<_> = (0..100).map(|number| number * 50).collect();
        assert_eq!(rate(&steady, 4950), 20.0);
        let slower: Vec<_> = (0..50).map(|number| number * 20).chain((10..20).map(|number| number * 100)).collect();
        assert_eq!(rate(&slower, 1900).round(), 14.0);
    }

    #[test]
    fn a_slow_camera_has_a_rate_and_one_that_stopped_has_none() {
        assert_eq!(rate(&[0, 5000, 10_000], 14_000), 0.2);
        assert_eq!(rate(&[0, 5000, 10_000], 26_000), 0.0);
        assert_eq!(rate(&[0, 50, 100], 150), 20.0);
        assert_eq!(rate(&[0, 50, 100], 2200), 0.0);
        assert_eq!((rate(&[], 100), rate(&[50], 100)), (0.0, 0.0));
    }

    #[test]
    fn the_age_is_that_of_the_last_frame() {
        assert_eq!(of_entries(&[], 5).age_nanoseconds, None);
    }
}
