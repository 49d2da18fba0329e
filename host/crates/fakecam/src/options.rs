//! The numeric settings, kept as numbers because they are looked at for each frame.

use crate::environment::Settings;

/// A version that the control file never has.
const UNREAD: u64 = u64::MAX;

macro_rules! options {
    ($($field:ident $name:literal $default:literal,)*) => {
        /// The numeric settings. The crate's documentation lists their meanings.
        #[derive(Clone, Debug)]
        pub(crate) struct Options {
            $(pub(crate) $field: f64,)*
            version: u64,
        }

        impl Options {
            /// The defaults, until they are refreshed.
            pub(crate) fn unread() -> Self {
                Self { $($field: $default,)* version: UNREAD }
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
    /// Reads them again if the control file was changed.
    pub(crate) fn refresh(&mut self, settings: &Settings) {
        if self.version != settings.version() {
            *self = Self::read(settings);
        }
    }

    pub(crate) fn is_unplugged(&self) -> bool {
        self.unplugged != 0.0
    }

    /// Whether this frame unplugs the camera, which was unplugged `before` times.
    pub(crate) fn unplugs_at(&self, sequence: u32, before: u32) -> bool {
        is_due(self.unplug_after, self.unplug_times, sequence, before)
    }

    /// Whether a stall begins with this frame, after `before` others.
    pub(crate) fn stalls_at(&self, sequence: u32, before: u32) -> bool {
        is_due(self.stall_after, self.stall_times, sequence, before)
    }

    /// Whether this frame is missing.
    pub(crate) fn drops(&self, sequence: u32) -> bool {
        self.stalled != 0.0 || every(self.drop_every, sequence)
    }

    /// The bytes of padding behind a JPEG.
    pub(crate) fn padding(&self) -> usize {
        self.pad as usize
    }
}

/// `after` frames, at most `times` times; 0 is never and without limit.
fn is_due(after: f64, times: f64, sequence: u32, before: u32) -> bool {
    after > 0.0 && f64::from(sequence) >= after && (times == 0.0 || f64::from(before) < times)
}

/// Whether a frame is an Nth one; 0 is none.
pub(crate) fn every(n: f64, sequence: u32) -> bool {
    n >= 1.0 && (sequence + 1).is_multiple_of(n as u32)
}
