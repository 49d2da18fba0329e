//! Throttles those who try tokens, and bounds what the log says about them. Takes the same memory whoever comes.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many wrong tokens a peer may try at once, and how long each takes to be forgotten: a person with a wrong token notices
/// nothing, and a program gets 86,400 a day of which it would need 10¹⁹.
const BURST: u32 = 10;
const RECOVERY: Duration = Duration::from_secs(1);

/// How many peers are told apart. More of them share a place, so that one can be refused for another's failures.
const PEERS: usize = 256;

/// How often the log tells of refused requests, after the first few: the same for all peers together.
const LINES_BURST: u32 = 10;
const LINES_RECOVERY: Duration = Duration::from_secs(10);

/// Counts failures of each peer, and of all together for the log.
pub(super) struct Throttle {
    hasher: RandomState,
    state: Mutex<State>,
}

struct State {
    peers: [Bucket; PEERS],
    lines: Bucket,
    /// How many lines were left out since the last.
    suppressed: u64,
}

/// A leaky bucket: how full it is, as the time at which it will be empty.
#[derive(Clone, Copy)]
struct Bucket {
    empty_at: Instant,
}

impl Bucket {
    /// Put one more in, if there is room.
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
        let state = State { peers: [empty; PEERS], lines: empty, suppressed: 0 };
        Self { hasher: RandomState::new(), state: Mutex::new(state) }
    }

    /// Whether a peer has failed so often that it is not to be listened to now. `None` is a client of a Unix socket.
    pub(super) fn is_throttled(&self, peer: Option<IpAddr>) -> bool {
        self.is_throttled_at(peer, Instant::now())
    }

    /// A peer has given a wrong token.
    pub(super) fn note_failure(&self, peer: Option<IpAddr>) {
        self.note_failure_at(peer, Instant::now());
    }

    /// Whether the log is to tell of one more refused request; and how many it did not tell of before.
    pub(super) fn may_log(&self) -> Option<u64> {
        let mut state = self.state();
        if state.lines.fill(Instant::now(), LINES_BURST, LINES_RECOVERY) {
            return Some(std::mem::take(&mut state.suppressed));
        }
        state.suppressed += 1;
        None
    }

    fn is_throttled_at(&self, peer: Option<IpAddr>, now: Instant) -> bool {
        let place = self.place(peer);
        self.state().peers.get(place).is_some_and(|bucket| !bucket.has_room(now, BURST, RECOVERY))
    }

    fn note_failure_at(&self, peer: Option<IpAddr>, now: Instant) {
        let place = self.place(peer);
        if let Some(bucket) = self.state().peers.get_mut(place) {
            bucket.fill(now, BURST, RECOVERY);
        }
    }

    /// The place of a peer. Of IPv6 addresses the network counts (RFC 4291, section 2.5.4), since one host has 2⁶⁴ of them.
    fn place(&self, peer: Option<IpAddr>) -> usize {
        let peer = match peer {
            Some(IpAddr::V6(address)) => Some(IpAddr::V6((address.to_bits() >> 64 << 64).into())),
            other => other,
        };
        usize::try_from(self.hasher.hash_one(peer) % PEERS as u64).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_fails_too_often_has_to_wait_and_others_do_not() {
        let throttle = Throttle::new();
        let now = Instant::now() + Duration::from_secs(1);
        let peer = Some(IpAddr::from([192, 0, 2, 1]));
        let other = (2..=255).map(|last| Some(IpAddr::from([192, 0, 2, last])));
        let other = other.into_iter().find(|other| throttle.place(*other) != throttle.place(peer)).unwrap();
        for _ in 0..BURST {
            assert!(!throttle.is_throttled_at(peer, now));
            throttle.note_failure_at(peer, now);
        }
        assert!(throttle.is_throttled_at(peer, now) && !throttle.is_throttled_at(other, now));
        throttle.note_failure_at(peer, now);
        assert!(!throttle.is_throttled_at(peer, now + RECOVERY), "what is refused unheard is not counted");
    }

    #[test]
    fn the_addresses_of_one_network_are_one_peer() {
        let throttle = Throttle::new();
        let place = |text: &str| throttle.place(Some(text.parse().unwrap()));
        assert_eq!(place("2001:db8::1"), place("2001:db8::ffff:1"));
    }

    #[test]
    fn the_log_tells_of_some_and_of_how_many_it_left_out() {
        let throttle = Throttle::new();
        for _ in 0..LINES_BURST {
            assert_eq!(throttle.may_log(), Some(0));
        }
        for _ in 0..5 {
            assert_eq!(throttle.may_log(), None);
        }
        throttle.state().lines.empty_at = Instant::now();
        assert_eq!(throttle.may_log(), Some(5));
    }
}
