//! Skips frames of a source that delivers more than its user wants.

use std::time::Duration;

/// How much faster than the limit a source may be before frames are skipped, as a fraction of the interval. Cameras
/// keep their nominal rate only roughly, and a skipped frame is visible.
const RATE_TOLERANCE: f64 = 0.05;

/// How much too early a frame may arrive, as a fraction of the interval. Less than half, so that of two frames around
/// the due time the nearer one is taken.
const JITTER_TOLERANCE: f64 = 0.25;

/// The weight of the newest interval in the average.
const AVERAGE_WEIGHT: f64 = 1.0 / 16.0;

/// The longest interval that counts towards the average, as a multiple of the limit's interval.
const MAX_STEP: f64 = 2.0;

/// Decides which frames to deliver so that, on average, they do not exceed a rate. Skipped frames are spread evenly.
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// In frames per second, greater than 0. `None` admits everything.
    rate: Option<f64>,
    /// When the previous frame was captured, delivered or not.
    previous: Option<Duration>,
    /// The average interval between frames, delivered or not, in seconds.
    average: Option<f64>,
    /// When the next frame is due. `None` for at once.
    due: Option<Duration>,
}

impl RateLimit {
    /// Limits to `rate` frames per second, greater than 0. `None` admits everything.
    pub fn new(rate: Option<f64>) -> Self {
        Self { rate, previous: None, average: None, due: None }
    }

    /// The rate that remains of a source with this nominal rate.
    pub fn limited(&self, nominal: Option<f64>) -> Option<f64> {
        match (nominal, self.rate) {
            (Some(nominal), Some(limit)) if nominal > limit * (1.0 + RATE_TOLERANCE) => Some(limit),
            _ => nominal,
        }
    }

    /// Records that the frame that was just admitted cannot be delivered, so that the next one takes its place.
    pub fn retry(&mut self) {
        self.due = None;
    }

    /// Whether to deliver the next frame, which was captured at this time since boot.
    pub fn admits(&mut self, captured: Duration) -> bool {
        // The interval of a very low rate may not fit into a `Duration`.
        let Some(interval) = self.rate.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok()) else {
            return true;
        };
        let step = match self.previous.replace(captured) {
            Some(previous) if previous <= captured => captured - previous,
            Some(_) => {
                // The clock went backwards, so nothing that was measured counts any more.
                *self = Self { previous: Some(captured), due: Some(captured + interval), ..Self::new(self.rate) };
                return true;
            }
            None => {
                self.due = Some(captured + interval);
                return true;
            }
        };
        // A pause says nothing about the rate.
        let step = step.as_secs_f64().min(MAX_STEP * interval.as_secs_f64());
        let average = self.average.map_or(step, |average| average + (step - average) * AVERAGE_WEIGHT);
        self.average = Some(average);
        if average >= interval.as_secs_f64() * (1.0 - RATE_TOLERANCE) {
            self.due = Some(captured + interval);
            return true;
        }
        let due = self.due.unwrap_or(captured);
        if captured + interval.mul_f64(JITTER_TOLERANCE) < due {
            return false;
        }
        // From the due time instead of the time of capture, so that the average is the limit. After a pause, starts
        // anew instead of catching up.
        let next = due + interval;
        self.due = Some(if next < captured { captured + interval } else { next });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames at this rate that arrive up to a tenth of an interval early or late.
    fn frames(rate: f64, count: u32) -> impl Iterator<Item = Duration> {
        (0..count).map(move |number| {
            let jitter = f64::from(number.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 * 0.2 - 0.1;
            Duration::from_secs_f64(1000.0 + (f64::from(number) + jitter) / rate)
        })
    }

    fn admitted(limit: f64, rate: f64, count: u32) -> Vec<Duration> {
        let mut limit = RateLimit::new(Some(limit));
        frames(rate, count).filter(|captured| limit.admits(*captured)).collect()
    }

    #[test]
    fn a_faster_source_is_limited_to_the_rate_on_average_with_even_gaps() {
        for (limit, rate) in [(5.0, 30.0), (20.0, 30.0), (25.0, 30.0), (12.0, 15.0), (0.5, 10.0), (30.0, 60.0)] {
            let count = 3000;
            let admitted = admitted(limit, rate, count);
            let average = admitted.len() as f64 / (f64::from(count) / rate);
            assert!((0.97 * limit..=1.01 * limit).contains(&average), "{average} instead of {limit} of {rate}");
            let gaps = admitted.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64());
            let longest = gaps.fold(0.0, f64::max);
            assert!(longest <= 1.0 / limit + 1.3 / rate, "{longest} s at {limit} of {rate}");
        }
    }

    #[test]
    fn a_source_at_about_the_rate_loses_nothing() {
        for (limit, rate) in [(30.0, 30.0), (30.0, 31.0), (30.0, 15.0), (29.97, 30.0), (0.01, 0.001)] {
            assert_eq!(admitted(limit, rate, 1000).len(), 1000, "{limit} of {rate}");
        }
        let mut unlimited = RateLimit::new(None);
        assert!(frames(1000.0, 100).all(|captured| unlimited.admits(captured)));
    }

    #[test]
    fn a_pause_is_not_caught_up_and_a_clock_may_go_backwards() {
        let mut limit = RateLimit::new(Some(5.0));
        let admitted = |limit: &mut RateLimit, from: u64| {
            (0..30).filter(|number| limit.admits(Duration::from_millis(from + number * 33))).count()
        };
        assert!((5..=6).contains(&admitted(&mut limit, 100_000)));
        assert!((5..=8).contains(&admitted(&mut limit, 160_000)));
        assert!((5..=6).contains(&admitted(&mut limit, 50_000)));
    }

    #[test]
    fn the_frame_after_a_damaged_one_takes_its_place() {
        let mut limit = RateLimit::new(Some(1.0));
        let admits = |milliseconds, limit: &mut RateLimit| limit.admits(Duration::from_millis(milliseconds));
        assert!(admits(1000, &mut limit));
        assert!(!admits(1100, &mut limit));
        limit.retry();
        assert!(admits(1200, &mut limit));
        assert!(!admits(1300, &mut limit) && !admits(1900, &mut limit) && admits(2200, &mut limit));
    }

    #[test]
    fn the_nominal_rate_is_the_lower_of_the_two() {
        let limit = RateLimit::new(Some(10.0));
        assert_eq!(limit.limited(Some(30.0)), Some(10.0));
        assert_eq!(limit.limited(Some(10.1)), Some(10.1));
        assert_eq!(limit.limited(Some(5.0)), Some(5.0));
        assert_eq!(limit.limited(None), None);
        assert_eq!(RateLimit::new(None).limited(Some(30.0)), Some(30.0));
    }
}
