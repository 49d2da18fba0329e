//! The ranges of values.

use std::time::Duration;

/// The highest frame rate, in frames per second. No camera is faster, so a higher value is a typing error.
pub(super) const MAX_RATE: f64 = 10_000.0;

/// The lowest frame rate, in frames per second: one frame a day. Keeps frame intervals finite.
pub(super) const MIN_RATE: f64 = 1.0 / 86_400.0;

/// The longest time for which a camera remembers its frames. Who needs more wants a recorder.
pub(super) const MAX_MEMORY: Duration = Duration::from_secs(600);

/// The largest width or height, in pixels. No sensor is larger.
pub(super) const MAX_SIDE: u32 = 32_768;

/// The fewest buffers: one that the driver fills while the other is copied.
pub(super) const MIN_BUFFERS: u32 = 2;

/// The most buffers that the kernel allocates for a stream (VIDEO_MAX_FRAME).
pub(super) const MAX_BUFFERS: u32 = 32;
