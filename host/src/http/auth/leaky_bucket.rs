//! A leaky bucket: how much of something is allowed in a burst, and how much over time.

use std::time::{Duration, Instant};

/// The size of a bucket, and how fast it empties.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many fit into an empty bucket.
    pub burst: u32,
    /// The time after which there is room for one more.
    pub recovery: Duration,
}

/// A leaky bucket. Its level is stored as the time at which it will be empty.
#[derive(Clone, Copy, Debug)]
pub struct LeakyBucket {
    empty_at: Instant,
}

impl LeakyBucket {
    /// Creates an empty bucket.
    pub fn new(now: Instant) -> Self {
        Self { empty_at: now }
    }

    /// Adds one if there is room, and returns whether there was.
    pub fn fill(&mut self, now: Instant, rate: Rate) -> bool {
        let has_room = self.wait(now, rate).is_zero();
        if has_room {
            self.empty_at = self.empty_at.max(now) + rate.recovery;
        }
        has_room
    }

    /// How long it takes until there is room for one. Zero if there is.
    pub fn wait(&self, now: Instant, rate: Rate) -> Duration {
        let level = self.empty_at.saturating_duration_since(now);
        (level + rate.recovery).saturating_sub(rate.recovery * rate.burst)
    }

    /// When it will be empty.
    pub fn empty_at(&self) -> Instant {
        self.empty_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_has_room_again_after_the_recovery() {
        let rate = Rate { burst: 3, recovery: Duration::from_secs(10) };
        let now = Instant::now();
        let mut bucket = LeakyBucket::new(now);
        for _ in 0..3 {
            assert!(bucket.fill(now, rate));
        }
        assert!(!bucket.fill(now, rate) && !bucket.fill(now + Duration::from_secs(9), rate));
        assert_eq!(bucket.wait(now, rate), Duration::from_secs(10));
        assert!(bucket.fill(now + Duration::from_secs(10), rate), "refused attempts do not fill it");
        assert_eq!(bucket.wait(now + Duration::from_secs(60), rate), Duration::ZERO);
    }
}
