//! Throttles clients that guess passwords or tokens. Uses a bounded amount of memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::leaky_bucket::{LeakyBucket, Rate};
use super::make_room::make_room;

/// The most client networks that are remembered, of about 64 bytes each. Beyond that, the one is forgotten that could
/// guess again soonest. An attacker with more networks is limited by the time that a hash takes.
const MAX_NETWORKS: usize = 4096;

/// Counts the wrong guesses of each client network. `None` stands for all clients of Unix sockets.
#[derive(Debug)]
pub struct Throttle {
    rate: Rate,
    networks: Mutex<HashMap<Option<IpAddr>, LeakyBucket>>,
}

impl Throttle {
    /// Permits this many wrong guesses for each network.
    pub fn new(rate: Rate) -> Self {
        Self { rate, networks: Mutex::default() }
    }

    /// How long a client must wait before it may guess again. `None` if it need not wait. `network` is its
    /// [`client_network`](crate::http::limits::client_network()).
    pub fn wait(&self, network: Option<IpAddr>) -> Option<Duration> {
        self.wait_at(network, Instant::now())
    }

    /// Records a wrong guess.
    pub fn record_failure(&self, network: Option<IpAddr>) {
        self.record_failure_at(network, Instant::now());
    }

    fn wait_at(&self, network: Option<IpAddr>, now: Instant) -> Option<Duration> {
        // No code that holds the lock can leave the map inconsistent.
        let networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = networks.get(&network)?.wait(now, self.rate);
        (!wait.is_zero()).then_some(wait)
    }

    fn record_failure_at(&self, network: Option<IpAddr>, now: Instant) {
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        if !networks.contains_key(&network) {
            make_room(&mut networks, MAX_NETWORKS, now, LeakyBucket::empty_at);
        }
        networks.entry(network).or_insert_with(|| LeakyBucket::new(now)).fill(now, self.rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, recovery: Duration::from_secs(5) };

    #[test]
    fn a_network_with_too_many_failures_waits_and_others_do_not() {
        let throttle = Throttle::new(RATE);
        let now = Instant::now();
        let (guesser, other) = (Some(IpAddr::from([192, 0, 2, 1])), Some(IpAddr::from([192, 0, 2, 2])));
        for _ in 0..RATE.burst {
            assert_eq!(throttle.wait_at(guesser, now), None);
            throttle.record_failure_at(guesser, now);
        }
        assert_eq!(throttle.wait_at(guesser, now), Some(RATE.recovery));
        assert_eq!((throttle.wait_at(other, now), throttle.wait_at(None, now)), (None, None));
        assert_eq!(throttle.wait_at(guesser, now + RATE.recovery), None);
    }

    #[test]
    fn a_flood_of_networks_is_bounded_and_does_not_free_the_one_that_guesses_most() {
        let throttle = Throttle::new(RATE);
        let now = Instant::now();
        let guesser = Some(IpAddr::from([192, 0, 2, 1]));
        for _ in 0..RATE.burst {
            throttle.record_failure_at(guesser, now);
        }
        for number in 0..2 * MAX_NETWORKS as u32 {
            throttle.record_failure_at(Some(IpAddr::from((0x0A00_0000 + number).to_be_bytes())), now);
        }
        assert_eq!(throttle.networks.lock().unwrap().len(), MAX_NETWORKS);
        assert!(throttle.wait_at(guesser, now).is_some());
    }
}
