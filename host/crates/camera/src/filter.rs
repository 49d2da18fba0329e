//! Filters: what stands between a camera and everyone who sees its frames.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::frame::{Frame, JpegImage};
use super::status::Outage;

/// How long the rate and the cost of a filter are measured before they are reported.
const MEASURED_TIME: Duration = Duration::from_secs(1);

/// A filter without a frame for this long has a rate of 0.
const IDLE_TIME: Duration = Duration::from_secs(3);

/// A filter of a camera's frames.
///
/// Readers get only what it returns. Whatever goes wrong in it, they never get a frame as it was captured.
pub trait Filter: Send + Sync {
    /// Describes the filter for people, in one line.
    fn description(&self) -> String;

    /// Prepares to filter frames, in the camera's filter thread, which starts whenever the camera has opened, even if it
    /// has no readers ([`Linger::Always`](super::Linger::Always)). Must not block for long; what can fail belongs in
    /// [`OpenFilter::apply`].
    fn open(&self) -> Box<dyn OpenFilter>;
}

/// A filter of an open camera.
pub trait OpenFilter {
    /// Filters a frame. `None` means that readers do not get this frame. May block, but must return within a few
    /// seconds, because the camera cannot close before. Meanwhile, newer frames replace each other.
    ///
    /// # Errors
    ///
    /// Why the frame could not be filtered. Readers get the placeholder with this reason. The next frame is filtered as
    /// usual.
    fn apply(&mut self, frame: &Frame) -> Result<Option<JpegImage>, Outage>;
}

/// A filter, and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterReport {
    /// Describes the filter for people, in one line.
    pub description: String,
    /// The frames that it filtered per second, recently.
    pub rate: f64,
    /// The mean time for a frame, recently.
    pub cost: Duration,
    /// The frames that it filtered since the host started, with those that it kept from readers.
    pub frames: u64,
    /// The time that it took for them.
    pub busy: Duration,
    /// The frames that readers did not get since the host started because it failed.
    pub failed: u64,
}

/// What a filter has done since the host started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct FilterTotals {
    /// The frames that it filtered.
    pub(super) frames: u64,
    /// The time that it took for them.
    pub(super) busy: Duration,
    /// The frames that it failed to filter.
    pub(super) failed: u64,
}

/// Measures a filter.
#[derive(Debug, Default)]
pub(super) struct FilterMeter(Mutex<Measurements>);

#[derive(Debug, Default)]
struct Measurements {
    /// When the current measurement began, the frames since then, and how long they took.
    current: Option<(Instant, u32, Duration)>,
    /// When the last measurement ended, and its result.
    last: Option<(Instant, f64, Duration)>,
    total: FilterTotals,
}

impl FilterMeter {
    /// Records that a frame was filtered between these times.
    pub(super) fn add(&self, started: Instant, ended: Instant) {
        let mut measurements = self.lock();
        let (begin, mut count, mut busy) = measurements.current.unwrap_or((started, 0, Duration::ZERO));
        count += 1;
        let time = ended.saturating_duration_since(started);
        busy += time;
        measurements.total.frames += 1;
        measurements.total.busy += time;
        let elapsed = ended.saturating_duration_since(begin);
        measurements.current = if elapsed < MEASURED_TIME {
            Some((begin, count, busy))
        } else {
            measurements.last = Some((ended, f64::from(count) / elapsed.as_secs_f64(), busy / count));
            Some((ended, 0, Duration::ZERO))
        };
    }

    /// Returns the rate and the mean time for a frame.
    pub(super) fn report(&self, now: Instant) -> (f64, Duration) {
        match self.lock().last {
            Some((ended, rate, cost)) if now.saturating_duration_since(ended) < IDLE_TIME => (rate, cost),
            Some((_, _, cost)) => (0.0, cost),
            None => (0.0, Duration::ZERO),
        }
    }

    /// Records that a frame could not be filtered. It counts neither for the rate nor for the cost: after a failure,
    /// frames are refused at once for a while.
    pub(super) fn add_failure(&self) {
        self.lock().total.failed += 1;
    }

    /// Returns what the filter has done since the host started.
    pub(super) fn total(&self) -> FilterTotals {
        self.lock().total
    }

    /// Ignores poisoning: no critical section can leave the measurements inconsistent.
    fn lock(&self) -> MutexGuard<'_, Measurements> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn rate_and_cost_are_those_of_the_last_second() {
        let (meter, start) = (FilterMeter::default(), Instant::now());
        assert_eq!(meter.report(start), (0.0, Duration::ZERO));
        for frame in 0..=25 {
            let started = start + 50 * MS * frame;
            meter.add(started, started + 10 * MS);
        }
        let (rate, cost) = meter.report(start + 1500 * MS);
        assert!((19.0..=21.0).contains(&rate), "{rate}");
        assert_eq!(cost, 10 * MS);
        assert_eq!(meter.report(start + 10_000 * MS), (0.0, 10 * MS));
        meter.add_failure();
        assert_eq!(meter.total(), FilterTotals { frames: 26, busy: 260 * MS, failed: 1 });
    }
}
