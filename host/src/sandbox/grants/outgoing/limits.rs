//! How many outgoing requests there may be, how long they may take and how large they may be.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::RequestOptions;

/// How many requests may be in progress. Each has a connection and up to 128 KiB of buffers.
pub const MAX_REQUESTS: usize = 64;

/// How many requests of one instance may be in progress, so that one response cannot use up all of them.
pub const MAX_INSTANCE_REQUESTS: usize = 8;

/// How many requests may be started in each second, on average. A guest that notifies somebody needs one per minute; a
/// guest with a bug must not become an attack on the server at the other end.
const REQUESTS_PER_SECOND: f64 = 20.0;

/// How many requests may be started at once after a pause.
const BURST: f64 = 100.0;

/// How long it may take to resolve the name, to connect and to agree on encryption.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server may take to start its response, from the moment when the connection exists. Includes the time to
/// send the request.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the server may pause within its response.
const BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a request may take with its response. A guest has no reason to hold a connection for longer.
pub(super) const TOTAL_TIMEOUT: Duration = Duration::from_secs(120);

/// The largest body of a request and of a response, in bytes. Bodies are not buffered. This limits traffic.
pub(super) const MAX_BODY_BYTES: u64 = 32 << 20;

/// The largest head of a response, in bytes. Servers and proxies commonly limit it to between 8 and 64 KiB.
pub(super) const MAX_HEAD_BYTES: usize = 64 << 10;

/// Which limit on the number of requests was reached.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum RequestLimit {
    /// That of an instance.
    #[error("the instance has {MAX_INSTANCE_REQUESTS} requests in progress")]
    Instance,
    /// That of all instances.
    #[error("{MAX_REQUESTS} requests are in progress")]
    Total,
    /// That of requests per second.
    #[error("the guest sends more than {REQUESTS_PER_SECOND} requests per second")]
    Rate,
}

/// The right to have a request in progress.
pub(super) struct Slots {
    _instance: OwnedSemaphorePermit,
    _total: OwnedSemaphorePermit,
}

impl Slots {
    pub(super) fn acquire(
        instance: &Arc<Semaphore>,
        total: &Arc<Semaphore>,
        rate: &RequestRate,
    ) -> Result<Self, RequestLimit> {
        let slots = Self {
            _instance: instance.clone().try_acquire_owned().map_err(|_| RequestLimit::Instance)?,
            _total: total.clone().try_acquire_owned().map_err(|_| RequestLimit::Total)?,
        };
        if rate.take(Instant::now()) { Ok(slots) } else { Err(RequestLimit::Rate) }
    }
}

/// Limits how many requests are started in a time: a token bucket.
pub(super) struct RequestRate(Mutex<Tokens>);

struct Tokens {
    left: f64,
    counted: Instant,
}

impl RequestRate {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Tokens { left: BURST, counted: Instant::now() }))
    }

    /// Takes a token, if there is one.
    fn take(&self, now: Instant) -> bool {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = now.saturating_duration_since(tokens.counted).as_secs_f64() * REQUESTS_PER_SECOND;
        tokens.left = (tokens.left + new).min(BURST);
        tokens.counted = now;
        let may_send = tokens.left >= 1.0;
        if may_send {
            tokens.left -= 1.0;
        }
        may_send
    }
}

/// How long the steps of a request may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Timeouts {
    pub(super) connect: Duration,
    pub(super) first_byte: Duration,
    pub(super) between_bytes: Duration,
}

impl Timeouts {
    /// The limits, or what the guest asks for if that is less.
    pub(super) fn new(options: RequestOptions) -> Self {
        let limit = |limit: Duration, requested: Option<Duration>| requested.map_or(limit, |time| time.min(limit));
        Self {
            connect: limit(CONNECT_TIMEOUT, options.connect_timeout),
            first_byte: limit(FIRST_BYTE_TIMEOUT, options.first_byte_timeout),
            between_bytes: limit(BETWEEN_BYTES_TIMEOUT, options.between_bytes_timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_allows_a_burst_and_then_so_many_per_second() {
        let rate = RequestRate::new();
        let start = Instant::now();
        let sent = |seconds: f64| (0..1000).filter(|_| rate.take(start + Duration::from_secs_f64(seconds))).count();
        assert_eq!([sent(0.0), sent(0.0), sent(1.5), sent(2.0), sent(100.0)], [100, 0, 30, 10, 100]);
    }

    #[test]
    fn slots_are_limited_per_instance_and_in_total_until_they_are_dropped() {
        let total = Arc::new(Semaphore::new(MAX_REQUESTS));
        let rate = RequestRate::new();
        let one = Arc::new(Semaphore::new(MAX_INSTANCE_REQUESTS));
        let mut slots: Vec<_> =
            (0..MAX_INSTANCE_REQUESTS).map(|_| Slots::acquire(&one, &total, &rate).ok().unwrap()).collect();
        assert_eq!(Slots::acquire(&one, &total, &rate).err(), Some(RequestLimit::Instance));
        for _ in MAX_INSTANCE_REQUESTS..MAX_REQUESTS {
            slots.push(Slots::acquire(&Arc::new(Semaphore::new(1)), &total, &rate).ok().unwrap());
        }
        let other = Arc::new(Semaphore::new(1));
        assert_eq!(Slots::acquire(&other, &total, &rate).err(), Some(RequestLimit::Total));
        drop(slots);
        assert!(Slots::acquire(&one, &total, &rate).is_ok());
    }

    #[test]
    fn guests_may_only_shorten_timeouts() {
        let options = |time| RequestOptions {
            connect_timeout: Some(time),
            first_byte_timeout: Some(time),
            between_bytes_timeout: Some(time),
        };
        let second = Duration::from_secs(1);
        let short = Timeouts { connect: second, first_byte: second, between_bytes: second };
        assert_eq!(Timeouts::new(options(second)), short);
        assert_eq!(Timeouts::new(options(Duration::MAX)), Timeouts::new(RequestOptions::default()));
        assert!(Timeouts::new(RequestOptions::default()).first_byte < TOTAL_TIMEOUT);
    }
}
