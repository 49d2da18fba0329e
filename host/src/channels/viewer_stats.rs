//! Statistics of one viewer: its label, its rate, and what it was sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::channel_totals::ChannelTotals;

/// How long parts are counted before their rate is computed.
const WINDOW: Duration = Duration::from_secs(1);

/// A viewer's label, how many parts per second it is sent, and how many bytes.
#[derive(Debug)]
pub struct ViewerStats {
    label: String,
    /// Contended only by requests for statistics.
    window: Mutex<Window>,
    bytes: AtomicU64,
    totals: Arc<ChannelTotals>,
}

#[derive(Debug)]
struct Window {
    /// When the first part of the window was pushed. `None` before the first part.
    start: Option<Instant>,
    /// The number of parts since then.
    parts: u32,
    /// Parts per second in the window before.
    rate: f64,
}

impl ViewerStats {
    /// Creates the statistics of a new viewer, which also counts in these totals.
    pub fn new(label: String, totals: Arc<ChannelTotals>) -> Self {
        let window = Mutex::new(Window { start: None, parts: 0, rate: 0.0 });
        Self { label, window, bytes: AtomicU64::new(0), totals }
    }

    /// Returns the label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Counts bytes that the viewer was sent.
    pub fn count_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.totals.add_bytes(bytes as u64);
    }

    /// Counts parts that the viewer has missed.
    pub fn count_skipped(&self, parts: u64) {
        self.totals.add_skipped(parts);
    }

    /// Returns how many bytes the viewer was sent.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts a part that was pushed at this time.
    pub fn count(&self, pushed_at: Instant) {
        self.totals.add_sent();
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = window.start.map(|start| pushed_at.saturating_duration_since(start));
        if let Some(elapsed) = elapsed.filter(|elapsed| *elapsed >= WINDOW) {
            window.rate = f64::from(window.parts) / elapsed.as_secs_f64();
        }
        if elapsed.is_none_or(|elapsed| elapsed >= WINDOW) {
            window.start = Some(pushed_at);
            window.parts = 0;
        }
        window.parts += 1;
    }

    /// Returns the parts per second of the last complete window.
    pub fn rate(&self, now: Instant) -> f64 {
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        match window.start.map(|start| now.saturating_duration_since(start)) {
            // No part has come to complete the window, so use the parts in it.
            Some(elapsed) if elapsed >= 2 * WINDOW => f64::from(window.parts) / elapsed.as_secs_f64(),
            _ => window.rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_second_and_falls_when_no_parts_come() {
        let stats = ViewerStats::new(String::new(), Arc::default());
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        for number in 0..20 {
            assert_eq!(stats.rate(at(50 * number)), 0.0);
            stats.count(at(50 * number));
        }
        stats.count(at(1000));
        assert_eq!(stats.rate(at(1000)), 20.0);
        assert_eq!(stats.rate(at(2999)), 20.0);
        assert_eq!(stats.rate(at(5000)), 0.25);
    }

    #[test]
    fn a_stream_slower_than_one_part_per_second_has_a_rate() {
        let stats = ViewerStats::new(String::new(), Arc::default());
        let start = Instant::now();
        for number in 0..5 {
            stats.count(start + Duration::from_secs(2 * number));
        }
        assert_eq!(stats.rate(start + Duration::from_secs(8)), 0.5);
    }
}
