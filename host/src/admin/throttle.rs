//! Throttles clients that guess tokens, and limits the log lines about them. Uses a fixed amount of memory.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http::limits::client_network;

/// How many wrong tokens a peer may send in a burst. A person with a wrong token does not notice.
const BURST: u32 = 10;

/// The time after which a peer may send one more wrong token. This allows 86,400 guesses per day, but a program needs
/// about 10¹⁹.
const RECOVERY: Duration = Duration::from_secs(1);

/// The number of buckets for peers. More peers share buckets, so one can be throttled because of another.
const PEERS: usize = 256;

/// How many denied requests are logged in a burst, of all peers together.
const LOG_BURST: u32 = 10;

/// The time after which one more denied request is logged.
const LOG_RECOVERY: Duration = Duration::from_secs(10);

/// Counts wrong tokens per peer, and denied requests for the log.
pub(super) struct Throttle {
    hasher: RandomState,
    state: Mutex<State>,
}

struct State {
    peers: [Bucket; PEERS],
    log: Bucket,
    /// The number of denied requests not logged since the last one that was.
    suppressed: u64,
}

/// A leaky bucket. Its level is stored as the time at which it will be empty.
#[derive(Clone, Copy)]
struct Bucket {
    empty_at: Instant,
}

impl Bucket {
    /// Adds one if there is room, and returns whether there was.
    fn fill(&mut self, now: Instant, burst: u32, recovery: Duration) -> bool {
        let has_room = self.has_room(now, burst, recovery);
        if has_room {
            self.empty_at = self.empty_at.max(now) + recovery;
        }
        has_room
    }

    fn has_room(&self, now: Instant, burst: u32, recovery: Duration) -> bool {
        self.empty_at.saturating_duration_since(now) + recovery <= recovery * burst
    }
}

impl Throttle {
    pub(super) fn new() -> Self {
        let empty = Bucket { empty_at: Instant::now() };
        let state = State { peers: [empty; PEERS], log: empty, suppressed: 0 };
        Self { hasher: RandomState::new(), state: Mutex::new(state) }
    }

    /// Whether a peer has sent so many wrong tokens that it must wait. `None` is a client of a Unix socket.
    pub(super) fn is_throttled(&self, peer: Option<IpAddr>) -> bool {
        self.is_throttled_at(peer, Instant::now())
    }

    /// Records that a peer has sent a wrong token.
    pub(super) fn record_failure(&self, peer: Option<IpAddr>) {
        self.record_failure_at(peer, Instant::now());
    }

    /// Counts a denied request. Returns `None` if it should not be logged, otherwise the number of those not logged
    /// before it.
    pub(super) fn permit_log(&self) -> Option<u64> {
        let mut state = self.state();
        if state.log.fill(Instant::now(), LOG_BURST, LOG_RECOVERY) {
            return Some(std::mem::take(&mut state.suppressed));
        }
        state.suppressed += 1;
        None
    }

    fn is_throttled_at(&self, peer: Option<IpAddr>, now: Instant) -> bool {
        let index = self.bucket_index(peer);
        self.state().peers.get(index).is_some_and(|bucket| !bucket.has_room(now, BURST, RECOVERY))
    }

    fn record_failure_at(&self, peer: Option<IpAddr>, now: Instant) {
        let index = self.bucket_index(peer);
        if let Some(bucket) = self.state().peers.get_mut(index) {
            bucket.fill(now, BURST, RECOVERY);
        }
    }

    /// The index of a peer's bucket.
    fn bucket_index(&self, peer: Option<IpAddr>) -> usize {
        usize::try_from(self.hasher.hash_one(peer.map(client_network)) % PEERS as u64).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state inconsistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_with_too_many_failures_waits_and_others_do_not() {
        let throttle = Throttle::new();
        let now = Instant::now() + Duration::from_secs(1);
        let peer = Some(IpAddr::from([192, 0, 2, 1]));
        let others = (2..=255).map(|last| Some(IpAddr::from([192, 0, 2, last])));
        let other =
            others.into_iter().find(|other| throttle.bucket_index(*other) != throttle.bucket_index(peer)).unwrap();
        for _ in 0..BURST {
            assert!(!throttle.is_throttled_at(peer, now));
            throttle.record_failure_at(peer, now);
        }
        assert!(throttle.is_throttled_at(peer, now) && !throttle.is_throttled_at(other, now));
        throttle.record_failure_at(peer, now);
        assert!(!throttle.is_throttled_at(peer, now + RECOVERY), "a full bucket does not count further failures");
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_peer() {
        let throttle = Throttle::new();
        let index = |text: &str| throttle.bucket_index(Some(text.parse().unwrap()));
        assert_eq!(index("2001:db8::1"), index("2001:db8::ffff:1"));
    }

    #[test]
    fn the_log_shows_some_denied_requests_and_the_number_of_others() {
        let throttle = Throttle::new();
        for _ in 0..LOG_BURST {
            assert_eq!(throttle.permit_log(), Some(0));
        }
        for _ in 0..5 {
            assert_eq!(throttle.permit_log(), None);
        }
        throttle.state().log.empty_at = Instant::now();
        assert_eq!(throttle.permit_log(), Some(5));
    }
}
