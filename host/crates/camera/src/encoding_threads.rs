//! Decides how many threads encode an image.

use std::time::Duration;

/// The share of the time between two images that encoding may take. The rest is for fluctuations.
const MAX_LOAD: f64 = 0.75;

/// The weight of the newest image in the means.
const WEIGHT: f64 = 0.125;

/// A longer pause between two images says nothing about the camera's rate: the camera had no readers.
const MAX_INTERVAL: Duration = Duration::from_secs(1);

/// Observes the rate of a camera and the time that encoding takes, to find the smallest number of threads that keep up.
///
/// One thread takes the least processor time, so there are more only if one does not suffice.
#[derive(Debug)]
pub(super) struct EncodingThreads {
    max: usize,
    count: usize,
    /// The capture time and the sequence number of the last image.
    last: Option<(Duration, u64)>,
    /// The mean time between two images, lost ones included, in seconds.
    interval: Option<f64>,
    /// The mean time that one thread would take for an image, in seconds.
    cost: Option<f64>,
}

impl EncodingThreads {
    /// Allows up to `max` threads. Starts with one.
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.max(1), count: 1, last: None, interval: None, cost: None }
    }

    /// Returns the number of threads for an image that was captured at this time.
    pub(super) fn for_image(&mut self, captured: Duration, sequence: u64) -> usize {
        if let Some((last, last_sequence)) = self.last.replace((captured, sequence))
            && let (Some(elapsed), Some(images @ 1..)) =
                (captured.checked_sub(last), sequence.checked_sub(last_sequence))
        {
            let interval = elapsed.as_secs_f64() / images as f64;
            if interval <= MAX_INTERVAL.as_secs_f64() {
                self.interval = Some(mean(self.interval, interval));
            }
        }
        let needed = match (self.cost, self.interval) {
            (Some(cost), Some(interval)) => cost / (interval * MAX_LOAD),
            _ => 1.0,
        };
        // `as usize` saturates, also for an interval of 0.
        self.count = (needed.ceil() as usize).clamp(1, self.max);
        self.count
    }

    /// Notes how long it took to encode that image.
    pub(super) fn finished(&mut self, elapsed: Duration) {
        self.cost = Some(mean(self.cost, elapsed.as_secs_f64() * self.count as f64));
    }
}

fn mean(previous: Option<f64>, value: f64) -> f64 {
    previous.map_or(value, |previous| previous + (value - previous) * WEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays 50 images of a camera. Encoding takes `cost` milliseconds of one thread; images in between are lost.
    fn play(threads: &mut EncodingThreads, start: u64, interval: u64, cost: u64, step: u64) -> usize {
        let mut count = 0;
        for image in (0..50 * step).step_by(step as usize) {
            count = threads.for_image(Duration::from_millis(start + image * interval), start + image);
            threads.finished(Duration::from_millis(cost) / u32::try_from(count).unwrap());
        }
        count
    }

    #[test]
    fn there_are_only_as_many_threads_as_needed() {
        for (cost, expected) in [(0, 1), (5, 1), (24, 1), (30, 2), (60, 3), (70, 3), (1000, 3)] {
            assert_eq!(play(&mut EncodingThreads::new(3), 0, 33, cost, 1), expected, "{cost} ms");
        }
        assert_eq!(play(&mut EncodingThreads::new(0), 0, 33, 100, 1), 1);
    }

    #[test]
    fn images_that_are_lost_count_for_the_rate() {
        assert_eq!(play(&mut EncodingThreads::new(4), 0, 33, 60, 2), 3);
    }

    #[test]
    fn a_pause_does_not_count_and_a_new_rate_does() {
        let mut threads = EncodingThreads::new(4);
        assert_eq!(play(&mut threads, 0, 33, 40, 1), 2);
        assert_eq!(threads.for_image(Duration::from_secs(3600), 60), 2);
        assert_eq!(play(&mut threads, 4_000_000, 100, 40, 1), 1);
    }

    #[test]
    fn nonsense_from_a_driver_leaves_the_number_in_its_range() {
        let mut threads = EncodingThreads::new(4);
        for (seconds, sequence) in [(5, 1), (5, 2), (5, 3), (1, 2), (9, 2), (9, 1)] {
            assert!((1..=4).contains(&threads.for_image(Duration::from_secs(seconds), sequence)));
            threads.finished(Duration::ZERO);
        }
    }
}
