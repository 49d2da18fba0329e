//! Pacing: which parts one viewer is sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::part::Part;
use super::viewer_stats::ViewerStats;

/// The longest time for which a viewer is sent nothing. Then it is sent the newest part again, whatever its rate limit
/// and even if the channel is silent: only traffic reveals that a client has vanished. The documentation promises ten
/// seconds; this leaves room for a check once a second.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Decides which parts one viewer is sent.
pub struct Pacing {
    /// The number of the last part that was considered, sent or not.
    seen: u64,
    /// `None` if the viewer is sent every part.
    rate_limit: Option<RateLimit>,
    stats: Arc<ViewerStats>,
    last_sent: Instant,
}

impl Pacing {
    /// Creates the pacing of a new viewer, which is sent at most `max_rate` parts per second. `None`, zero, negative
    /// numbers and NaN mean no limit.
    pub fn new(max_rate: Option<f64>, stats: Arc<ViewerStats>) -> Self {
        Self { seen: 0, rate_limit: max_rate.and_then(RateLimit::new), stats, last_sent: Instant::now() }
    }

    /// Returns the number of the last part that was considered.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Returns whether to send this part: it is new, not empty, and within the rate limit. Marks it as considered.
    pub fn is_due(&mut self, part: &Part, number: u64) -> bool {
        let is_new = self.seen != number && !part.is_empty();
        if self.seen > 0 {
            self.count_skipped(number.saturating_sub(self.seen + 1));
        }
        self.seen = number;
        is_new && self.rate_limit.as_mut().is_none_or(|limit| limit.is_due(part.pushed_at))
    }

    /// Marks the part with this number as considered, because it is sent in place of another, or again.
    pub fn set_seen(&mut self, number: u64) {
        self.count_skipped(number.saturating_sub(self.seen));
        self.seen = number;
    }

    fn count_skipped(&self, parts: u64) {
        if parts > 0 {
            self.stats.count_skipped(parts);
        }
    }

    /// Returns when a part was last sent, or when the viewer joined.
    pub fn last_sent(&self) -> Instant {
        self.last_sent
    }

    /// Records that a part is sent at this time.
    pub fn set_last_sent(&mut self, at: Instant) {
        self.last_sent = at;
    }

    /// Counts a part in the viewer's statistics.
    pub fn count(&self, part: &Part) {
        self.stats.count(part.pushed_at);
    }

    /// Counts bytes that the viewer was sent.
    pub fn count_bytes(&self, bytes: usize) {
        self.stats.count_bytes(bytes);
    }
}

/// Selects parts so that their rate stays below a limit.
struct RateLimit {
    period: Duration,
    /// When the next part is due. `None` before the first.
    next_due: Option<Instant>,
}

impl RateLimit {
    /// Creates a limit of this many parts per second. Returns `None` unless `rate` is positive.
    fn new(rate: f64) -> Option<Self> {
        // At most a day: adding longer periods to the clock could overflow.
        (rate > 0.0).then(|| Self { period: Duration::from_secs_f64((1.0 / rate).min(86_400.0)), next_due: None })
    }

    /// Returns whether to send a part pushed at this time, and plans the next one if so.
    fn is_due(&mut self, pushed_at: Instant) -> bool {
        let due = self.next_due.unwrap_or(pushed_at);
        if pushed_at < due {
            return false;
        }
        // Count from when the part was due, not from when it came: otherwise a limit of 20 would thin 30 parts per
        // second to 15. But never from the past: a viewer does not catch up on parts it missed.
        self.next_due = Some((due + self.period).max(pushed_at));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many of `count` parts, pushed at this interval, are sent at this rate limit.
    fn sent(rate: f64, count: u32, interval: Duration) -> usize {
        let mut limit = RateLimit::new(rate).unwrap();
        let start = Instant::now();
        (0..count).filter(|number| limit.is_due(start + interval * *number)).count()
    }

    #[test]
    fn the_rate_reaches_the_limit_and_never_exceeds_it() {
        let thirtieth = Duration::from_nanos(33_333_333);
        for (rate, expected) in [(1.0, 10), (5.0, 50), (10.0, 100), (20.0, 200), (25.0, 250), (30.0, 300), (100.0, 300)]
        {
            let sent = sent(rate, 300, thirtieth);
            assert!(sent.abs_diff(expected) <= 1, "{sent} at {rate}");
        }
    }

    #[test]
    fn no_burst_follows_a_pause() {
        let mut limit = RateLimit::new(10.0).unwrap();
        let start = Instant::now();
        assert!(limit.is_due(start));
        let late = start + Duration::from_secs(5);
        assert!(limit.is_due(late));
        let burst = (1..10).filter(|number| limit.is_due(late + Duration::from_millis(*number))).count();
        assert!(burst <= 1, "{burst}");
    }

    #[test]
    fn rates_that_are_not_positive_set_no_limit() {
        assert!([0.0, -1.0, f64::NAN].into_iter().all(|rate| RateLimit::new(rate).is_none()));
        assert!([f64::MIN_POSITIVE, f64::INFINITY].into_iter().all(|rate| RateLimit::new(rate).is_some()));
    }
}
