//! When frames are due.

use std::time::{Duration, Instant};

/// Counts frames at a steady rate, and waits for each.
pub(super) struct FrameClock {
    /// Frames per second, greater than 0.
    rate: f64,
    /// When the first frame was due.
    started: Instant,
    /// The number of the next frame, counted from the start.
    next: u64,
}

/// A frame that is due.
pub(super) struct DueFrame {
    /// Its number, counted from the start.
    pub(super) number: u64,
    /// How many frames were skipped before it.
    pub(super) late: u64,
}

impl FrameClock {
    /// Starts to count at `rate` frames per second, greater than 0. The first frame is due at once.
    pub(super) fn start(rate: f64) -> Self {
        Self { rate, started: Instant::now(), next: 0 }
    }

    /// Waits for the next frame until `deadline`. After a late wake-up, skips to the frame that is due now, like a
    /// camera.
    pub(super) fn wait(&mut self, deadline: Instant) -> Option<DueFrame> {
        // Counts from the start so that delays do not accumulate.
        let due = self.started + Duration::from_secs_f64(self.next as f64 / self.rate);
        std::thread::sleep(due.min(deadline).saturating_duration_since(Instant::now()));
        let now = Instant::now();
        if now < due {
            return None;
        }
        let latest = (now.duration_since(self.started).as_secs_f64() * self.rate) as u64;
        let number = latest.max(self.next);
        let late = number - self.next;
        self.next = number + 1;
        Some(DueFrame { number, late })
    }
}
