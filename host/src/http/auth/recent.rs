//! Remembers for a while which credentials were right or wrong.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::make_room::make_room;

/// A keyed digest of credentials.
pub(super) type Digest = [u8; 32];

/// A bounded set of digests, each of which is forgotten after a time.
#[derive(Debug)]
pub(super) struct Recent {
    capacity: usize,
    lifetime: Duration,
    expiries: Mutex<HashMap<Digest, Instant>>,
}

impl Recent {
    pub(super) fn new(capacity: usize, lifetime: Duration) -> Self {
        Self { capacity, lifetime, expiries: Mutex::default() }
    }

    /// Whether a digest was inserted within the lifetime.
    pub(super) fn contains(&self, digest: &Digest) -> bool {
        self.contains_at(digest, Instant::now())
    }

    /// Inserts a digest. In a full set, it takes the place of the one that would be forgotten next.
    pub(super) fn insert(&self, digest: Digest) {
        self.insert_at(digest, Instant::now());
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.expiries().clear();
    }

    fn contains_at(&self, digest: &Digest, now: Instant) -> bool {
        self.expiries().get(digest).is_some_and(|expiry| *expiry > now)
    }

    fn insert_at(&self, digest: Digest, now: Instant) {
        let mut expiries = self.expiries();
        make_room(&mut expiries, self.capacity, now, |expiry| *expiry);
        expiries.insert(digest, now + self.lifetime);
    }

    fn expiries(&self) -> MutexGuard<'_, HashMap<Digest, Instant>> {
        // No code that holds the lock can leave the map inconsistent.
        self.expiries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_forgotten_after_their_time_or_when_there_are_too_many() {
        let recent = Recent::new(2, Duration::from_secs(60));
        let now = Instant::now();
        recent.insert_at([1; 32], now);
        assert!(recent.contains_at(&[1; 32], now + Duration::from_secs(59)));
        assert!(!recent.contains_at(&[1; 32], now + Duration::from_secs(60)) && !recent.contains_at(&[2; 32], now));
        recent.insert_at([2; 32], now + Duration::from_secs(1));
        recent.insert_at([3; 32], now + Duration::from_secs(2));
        let remains = [1, 2, 3].map(|number| recent.contains_at(&[number; 32], now));
        assert_eq!(remains, [false, true, true]);
        recent.clear();
        assert!(!recent.contains_at(&[3; 32], now));
    }
}
