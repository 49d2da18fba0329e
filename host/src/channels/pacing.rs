//! What of a stream a viewer wants.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::part::Part;
use super::viewer_stats::ViewerStats;

/// The longest time for which a viewer is sent nothing, whatever rate it asked for and however silent the channel is: after
/// that it gets the newest part again. Otherwise nothing would tell that it has vanished. Ten seconds are promised, and the
/// clock is looked at once a second.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Which parts one viewer was given, and which it wants.
pub(super) struct Pacing {
    /// How many pushes there had been at the part that was looked at last.
    seen: u64,
    /// None for as many parts as there are.
    pace: Option<Pace>,
    tally: Arc<ViewerStats>,
}

impl Pacing {
    /// Nothing was given yet; at most this many parts per second are to be.
    pub(super) fn new(maximal_rate: Option<f64>, tally: Arc<ViewerStats>) -> Self {
        Self { seen: 0, pace: maximal_rate.and_then(Pace::new), tally }
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether this part, which came with so many pushes, is to be given next.
    pub(super) fn wants(&mut self, part: &Part, pushes: u64) -> bool {
        let is_new = self.seen != pushes && !part.is_empty();
        self.seen = pushes;
        is_new && self.pace.as_mut().is_none_or(|pace| pace.is_due(part.pushed))
    }

    /// A part of so many pushes is given in place of one that was to be.
    pub(super) fn instead(&mut self, pushes: u64) {
        self.seen = pushes;
    }

    /// A part is given.
    pub(super) fn count(&self, part: &Part) {
        self.tally.count(part.pushed);
    }
}

/// Keeps a rate: which parts a viewer is sent that wants fewer than there are.
struct Pace {
    period: Duration,
    /// When the next one is due; none before the first.
    due: Option<Instant>,
}

impl Pace {
    /// At most this many parts per second. None for what is no rate.
    fn new(rate: f64) -> Option<Self> {
        // At least one a day; beyond, sums with the clock could overflow.
        (rate > 0.0).then(|| Self { period: Duration::from_secs_f64((1.0 / rate).min(86_400.0)), due: None })
    }

    /// Whether a part that was pushed at this moment is to be sent.
    fn is_due(&mut self, pushed: Instant) -> bool {
        let due = self.due.unwrap_or(pushed);
        if pushed < due {
            return false;
        }
        // From when it was due, not from when it came: else 20 of 30 a second would become 15. But what was missed
        // is not made up for.
        self.due = Some((due + self.period).max(pushed));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `count` parts, this long apart, are sent at this rate.
    fn sent(rate: f64, count: u32, apart: Duration) -> usize {
        let mut pace = Pace::new(rate).unwrap();
        let begun = Instant::now();
        (0..count).filter(|number| pace.is_due(begun + apart * *number)).count()
    }

    #[test]
    fn a_rate_is_kept_and_never_exceeded() {
        let thirtieth = Duration::from_nanos(33_333_333);
        for (rate, expected) in [(1.0, 10), (5.0, 50), (10.0, 100), (20.0, 200), (25.0, 250), (30.0, 300), (100.0, 300)]
        {
            let sent = sent(rate, 300, thirtieth);
            assert!(sent.abs_diff(expected) <= 1, "{sent} at {rate}");
        }
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let mut pace = Pace::new(10.0).unwrap();
        let begun = Instant::now();
        assert!(pace.is_due(begun));
        let late = begun + Duration::from_secs(5);
        assert!(pace.is_due(late));
        let burst = (1..10).filter(|number| pace.is_due(late + Duration::from_millis(*number))).count();
        assert!(burst <= 1, "{burst}");
    }

    #[test]
    fn no_rate_is_no_rate() {
        assert!([0.0, -1.0, f64::NAN].into_iter().all(|rate| Pace::new(rate).is_none()));
        assert!([f64::MIN_POSITIVE, f64::INFINITY].into_iter().all(|rate| Pace::new(rate).is_some()));
    }
}
