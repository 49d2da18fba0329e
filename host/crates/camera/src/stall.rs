//! When a stream without images counts as stalled, for every kind of camera.

use std::time::Duration;

/// The shortest time without an image after which a stream counts as stalled. Longer than the longest exposure of
/// webcams in the dark.
pub(crate) const MIN_STALL_TIMEOUT: Duration = Duration::from_secs(3);

/// The number of frame intervals without an image after which a slow stream counts as stalled.
const STALL_FRAMES: f64 = 3.0;

/// Returns how long no image may arrive at this rate, in frames per second.
pub(crate) fn stall_timeout(rate: Option<f64>) -> Duration {
    // The rate is greater than 0, but may be so small that a `Duration` cannot hold the interval.
    let slow = rate.and_then(|rate| Duration::try_from_secs_f64(STALL_FRAMES / rate).ok());
    slow.map_or(MIN_STALL_TIMEOUT, |slow| MIN_STALL_TIMEOUT.max(slow))
}
