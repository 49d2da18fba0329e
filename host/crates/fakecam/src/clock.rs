//! The monotonic clock, which frames are paced and stamped with.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The time since some point in the past (`CLOCK_MONOTONIC`).
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
