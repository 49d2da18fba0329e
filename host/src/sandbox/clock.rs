//! The monotonic clock of guests.

use std::time::Duration;

use wasmtime_wasi::clocks::HostMonotonicClock;

use crate::camera::frame::monotonic_now;

/// `CLOCK_MONOTONIC`, the clock that frames are stamped with. By default, `wasmtime_wasi` starts a new clock for each
/// instance, which guests could not compare with the times of frames.
pub(super) struct SystemMonotonicClock;

impl HostMonotonicClock for SystemMonotonicClock {
    fn resolution(&self) -> u64 {
        nanoseconds(Duration::from_nanos(1))
    }

    fn now(&self) -> u64 {
        nanoseconds(monotonic_now())
    }
}

/// Converts a time since boot to nanoseconds. They overflow after 584 years.
pub(super) fn nanoseconds(since_boot: Duration) -> u64 {
    u64::try_from(since_boot.as_nanos()).unwrap_or(u64::MAX)
}
