//! What one viewer takes, for those who ask.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time over which parts are counted. Each count says something when it is over.
const WINDOW: Duration = Duration::from_secs(1);

/// A viewer's label, and how many parts it takes.
#[derive(Debug)]
pub(super) struct ViewerStats {
    label: String,
    /// Locked for one part of one viewer at a time, by its own task.
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    /// When the counting began: with a part; none before the first.
    begun: Option<Instant>,
    /// The parts since then.
    parts: u32,
    /// Parts per second in the window before.
    rate: f64,
}

impl ViewerStats {
    pub(super) fn new(label: String) -> Self {
        Self { label, window: Mutex::new(Window { begun: None, parts: 0, rate: 0.0 }) }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// A part is taken that was pushed at this moment.
    pub(super) fn count(&self, pushed: Instant) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = window.begun.map(|begun| pushed.saturating_duration_since(begun));
        if let Some(elapsed) = elapsed.filter(|elapsed| *elapsed >= WINDOW) {
            window.rate = f64::from(window.parts) / elapsed.as_secs_f64();
        }
        if elapsed.is_none_or(|elapsed| elapsed >= WINDOW) {
            window.begun = Some(pushed);
            window.parts = 0;
        }
        window.parts += 1;
    }

    /// The parts per second that were taken lately.
    pub(super) fn rate(&self, now: Instant) -> f64 {
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        match window.begun.map(|begun| now.saturating_duration_since(begun)) {
            // Nothing has come to close the window: what it has is all there was.
            Some(elapsed) if elapsed >= 2 * WINDOW => f64::from(window.parts) / elapsed.as_secs_f64(),
            _ => window.rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_second_and_falls_when_nothing_comes() {
        let tally = ViewerStats::new(String::new());
        let begun = Instant::now();
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        for number in 0..20 {
            assert_eq!(tally.rate(at(50 * number)), 0.0);
            tally.count(at(50 * number));
        }
        tally.count(at(1000));
        assert_eq!(tally.rate(at(1000)), 20.0);
        assert_eq!(tally.rate(at(2999)), 20.0);
        assert_eq!(tally.rate(at(5000)), 0.25);
    }

    #[test]
    fn a_slow_stream_has_a_rate() {
        let tally = ViewerStats::new(String::new());
        let begun = Instant::now();
        for number in 0..5 {
            tally.count(begun + Duration::from_secs(2 * number));
        }
        assert_eq!(tally.rate(begun + Duration::from_secs(8)), 0.5);
    }
}
