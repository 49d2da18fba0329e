//! Detects clients that have stopped reading.
//!
//! A client counts as reading if its kernel acknowledges bytes, however slowly. But a kernel does not acknowledge every
//! byte that is read: it lets its receive buffer fill, and frees space when much of it has been read. Linux with
//! default buffers holds 128 KiB, and acknowledges nothing for up to 65 seconds while a client reads 2 kB/s. So the
//! detector assumes that acknowledged bytes are read at that rate, and starts the timeout only when they would have
//! been read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::socket::Socket;

/// How long a client may read nothing. Most Wi-Fi outages are shorter, and after a longer one a new connection is
/// better.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The lowest rate that counts as reading, in bytes per second.
const MIN_RATE: u64 = 2000;

/// The longest time that a client may take to read bytes acknowledged earlier, in addition to [`STALL_TIMEOUT`]. The
/// time to read a default receive buffer at [`MIN_RATE`], rounded up.
const MAX_CREDIT: Duration = Duration::from_secs(70);

/// How long a client that has shut down its sending side may acknowledge nothing. Such a client may be waiting for its
/// response, but nothing else would reveal that it is gone. Longer than the pauses of a stream and than the default of
/// `--answer-timeout`.
const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Stalled {
    /// The client reads nothing.
    #[error("dropped: the client has read nothing for {} s", STALL_TIMEOUT.as_secs())]
    NotReading,
    /// The client has shut down its sending side and has read nothing since.
    #[error("dropped: the client closed its side {} s ago and has read nothing since", HALF_CLOSED_TIMEOUT.as_secs())]
    HalfClosed,
}

/// Detects whether the client of one connection has stopped reading.
pub struct StallDetector {
    socket: Arc<Socket>,
    progress: ReadProgress,
    /// Since when the client has been half-closed without acknowledging anything.
    half_closed_since: Option<Instant>,
}

/// How far a client has read.
struct ReadProgress {
    /// The bytes acknowledged at the last check.
    acknowledged: u64,
    /// When that number last grew, or the client had everything.
    last_progress: Instant,
    /// Until when the client may still be reading what it has acknowledged.
    reading_until: Instant,
}

impl StallDetector {
    /// Creates the detector of a newly accepted connection.
    pub fn new(socket: Arc<Socket>) -> Self {
        Self { socket, progress: ReadProgress::new(Instant::now()), half_closed_since: None }
    }

    /// Returns the connection's socket.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Checks the connection. Call it about once a second. `has_request` is whether a request is in progress. Costs one
    /// system call, or none if nothing was written since the client had acknowledged everything.
    ///
    /// # Errors
    ///
    /// Fails if the client has stopped reading.
    pub fn check(&mut self, now: Instant, has_request: bool) -> Result<(), Stalled> {
        let before = self.progress.acknowledged;
        let written = self.socket.written();
        // If the kernel cannot tell what was acknowledged, assume the best.
        let acknowledged = if written == before { written } else { self.socket.acknowledged().unwrap_or(written) };
        self.progress.update(now, acknowledged, acknowledged >= written);
        if acknowledged == before && has_request && self.socket.is_half_closed() {
            let since = *self.half_closed_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= HALF_CLOSED_TIMEOUT {
                return Err(Stalled::HalfClosed);
            }
        } else {
            self.half_closed_since = None;
        }
        if self.progress.is_stalled(now) { Err(Stalled::NotReading) } else { Ok(()) }
    }
}

impl ReadProgress {
    fn new(now: Instant) -> Self {
        Self { acknowledged: 0, last_progress: now, reading_until: now }
    }

    /// Records the number of bytes acknowledged so far, and whether these are all that were written.
    fn update(&mut self, now: Instant, acknowledged: u64, is_everything: bool) {
        if acknowledged > self.acknowledged {
            self.last_progress = now;
            let more = acknowledged - self.acknowledged;
            let credit = Duration::from_millis(more.saturating_mul(1000) / MIN_RATE).min(MAX_CREDIT);
            self.reading_until = (self.reading_until.max(now) + credit).min(now + MAX_CREDIT);
        }
        if is_everything {
            self.last_progress = now;
        }
        self.acknowledged = acknowledged;
    }

    fn is_stalled(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_progress.max(self.reading_until)) >= STALL_TIMEOUT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns after how many seconds a client counts as stalled. `acknowledged` lists seconds, and how many bytes the
    /// client's kernel acknowledges then. There are always more bytes to read.
    fn stalled_after(acknowledged: &[(u64, u64)]) -> Option<u64> {
        let start = Instant::now();
        let mut progress = ReadProgress::new(start);
        (0..300).find(|second| {
            let now = start + Duration::from_secs(*second);
            let total = acknowledged.iter().filter(|(at, _)| at <= second).map(|(_, bytes)| bytes).sum();
            progress.update(now, total, false);
            progress.is_stalled(now)
        })
    }

    #[test]
    fn a_client_that_reads_two_kilobytes_per_second_never_counts_as_stalled() {
        // Recorded on Linux 6.18 over loopback, with a receive buffer of 4 KiB and with the default one.
        let small: Vec<_> = (0..100).map(|number| (3 * number, 6144)).collect();
        assert_eq!(stalled_after(&small), None);
        let steps = [33, 98, 146, 193, 241, 289].map(|second| (second, if second == 33 { 67_584 } else { 95_232 }));
        let default = [&[(0, 128_000)], &steps[..]].concat();
        assert_eq!(stalled_after(&default), None);
    }

    #[test]
    fn a_client_that_stops_reading_counts_as_stalled() {
        assert_eq!(stalled_after(&[]), Some(10));
        assert_eq!(stalled_after(&[(0, 4096)]), Some(13));
        assert_eq!(stalled_after(&[(0, 128_000)]), Some(74));
        // Also if it has read a lot before.
        let fast: Vec<_> = (0..60).map(|second| (second, 10_000_000)).collect();
        assert_eq!(stalled_after(&fast), Some(59 + 80));
    }

    #[test]
    fn a_client_that_has_read_everything_never_counts_as_stalled() {
        let start = Instant::now();
        let mut progress = ReadProgress::new(start);
        progress.update(start, 100, true);
        let later = start + Duration::from_secs(1000);
        progress.update(later, 100, true);
        assert!(!progress.is_stalled(later));
    }
}
