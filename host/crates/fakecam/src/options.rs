//! The numeric settings, parsed in advance because every frame uses them.

use crate::environment::Settings;

/// A version that the control file never has, for options that have not been read yet.
const NEVER_READ: u64 = u64::MAX;

macro_rules! options {
    ($($field:ident $name:literal $default:literal,)*) => {
        /// The numeric settings, documented in the crate's documentation.
        #[derive(Clone, Debug)]
        pub(crate) struct Options {
            $(pub(crate) $field: f64,)*
            version: u64,
        }

        impl Options {
            /// The defaults. The first reload replaces them.
            pub(crate) fn defaults() -> Self {
                Self { $($field: $default,)* version: NEVER_READ }
            }

            fn read(settings: &Settings) -> Self {
                Self { $($field: settings.number($name, $default),)* version: settings.version() }
            }
        }
    };
}

options! {
    unplug_after "UNPLUG_AFTER" 0.0,
    unplug_seconds "UNPLUG_SECONDS" 3.0,
    unplug_times "UNPLUG_TIMES" 1.0,
    unplugged "UNPLUGGED" 0.0,
    strict_replug "STRICT_REPLUG" 1.0,
    stall_after "STALL_AFTER" 0.0,
    stall_seconds "STALL_SECONDS" 3.0,
    stall_times "STALL_TIMES" 1.0,
    stalled "STALLED" 0.0,
    drop_every "DROP_EVERY" 0.0,
    corrupt_every "CORRUPT_EVERY" 0.0,
    truncate_every "TRUNCATE_EVERY" 0.0,
    error_every "ERROR_EVERY" 0.0,
    empty_every "EMPTY_EVERY" 0.0,
    rate "RATE" 0.0,
    jitter_ms "JITTER_MS" 0.0,
    latency_ms "LATENCY_MS" 0.0,
    max_buffers "MAX_BUFFERS" 32.0,
    stamp "STAMP" 0.0,
    strip_dht "STRIP_DHT" 0.0,
    pad "PAD" 0.0,
}

impl Options {
    /// Reads the settings again if the control file has changed.
    pub(crate) fn reload_if_changed(&mut self, settings: &Settings) {
        if self.version != settings.version() {
            *self = Self::read(settings);
        }
    }

    pub(crate) fn is_unplugged(&self) -> bool {
        self.unplugged != 0.0
    }

    /// Whether the camera is unplugged at this frame, after `count` times before.
    pub(crate) fn unplugs_at(&self, sequence: u32, count: u32) -> bool {
        is_due(self.unplug_after, self.unplug_times, sequence, count)
    }

    /// Whether a stall starts at this frame, after `count` stalls before.
    pub(crate) fn stalls_at(&self, sequence: u32, count: u32) -> bool {
        is_due(self.stall_after, self.stall_times, sequence, count)
    }

    /// Whether the camera drops this frame.
    pub(crate) fn drops(&self, sequence: u32) -> bool {
        self.stalled != 0.0 || is_nth(self.drop_every, sequence)
    }

    /// The number of zero bytes after each JPEG.
    pub(crate) fn padding(&self) -> usize {
        self.pad as usize
    }
}

/// Whether an event that happened `count` times before happens at this frame: `after` frames (0: never), at most
/// `times` times (0: without limit).
fn is_due(after: f64, times: f64, sequence: u32, count: u32) -> bool {
    after > 0.0 && f64::from(sequence) >= after && (times == 0.0 || f64::from(count) < times)
}

/// Whether this is an nth frame. Never if `n` is 0.
pub(crate) fn is_nth(n: f64, sequence: u32) -> bool {
    n >= 1.0 && (sequence + 1).is_multiple_of(n as u32)
}
