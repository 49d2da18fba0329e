//! Whether the client of a connection reads what it is sent.
//!
//! What counts is what the client's kernel acknowledges, which it does as its program reads: slowly is fine, not at all is
//! not. A kernel does not tell of every byte that was read. It lets its receive buffer fill, and makes room when a large
//! piece of it is free again: 32 KiB on Linux with default buffers, for which a client that reads 2 kB/s takes 16
//! seconds. So what was acknowledged is taken to be read at that rate, and only then the time begins to count in which the
//! client has read nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::socket::Socket;

/// How long a client may read nothing. Most outages of Wi-Fi are shorter; and who was away for longer is better off with a
/// new connection.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The lowest rate that reading is told from not reading, in bytes per second.
const MINIMUM_RATE: u64 = 2000;

/// The longest that a client may take for what it was sent before, on top of the timeout.
const LONGEST_CREDIT: Duration = Duration::from_secs(20);

/// How long a client that has shut down its sending side may take nothing at all: it is to have its answer, but nothing else
/// would tell that it is gone. Longer than a stream pauses, and than a guest may take to answer.
const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a connection is given up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Stalled {
    /// The client reads nothing.
    #[error("dropped: the client has read nothing for {} s", STALL_TIMEOUT.as_secs())]
    NotReading,
    /// The client has closed its side, and was sent nothing since.
    #[error("dropped: the client closed its side {} s ago and has read nothing since", HALF_CLOSED_TIMEOUT.as_secs())]
    HalfClosed,
}

/// How far the client of one connection has come.
pub struct Progress {
    socket: Arc<Socket>,
    /// The bytes that were acknowledged at the last check.
    acknowledged: u64,
    /// When that grew last, or the client had everything.
    last: Instant,
    /// Until when the client may still be reading what was acknowledged.
    reading_until: Instant,
    /// Since when the client has closed its side, and nothing was acknowledged.
    half_closed_since: Option<Instant>,
}

impl Progress {
    /// The connection of this socket has been accepted.
    pub fn new(socket: Arc<Socket>) -> Self {
        let now = Instant::now();
        Self { socket, acknowledged: 0, last: now, reading_until: now, half_closed_since: None }
    }

    /// The socket.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Look at the connection. Fails if it is to be given up. Takes a system call if the client may not have everything that
    /// was written.
    pub fn check(&mut self, now: Instant, has_request: bool) -> Result<(), Stalled> {
        let before = self.acknowledged;
        let has_everything = self.socket.written() == before || self.update(now);
        if self.acknowledged == before && has_request && self.socket.is_half_closed() {
            let since = *self.half_closed_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= HALF_CLOSED_TIMEOUT {
                return Err(Stalled::HalfClosed);
            }
        } else {
            self.half_closed_since = None;
        }
        if has_everything {
            self.last = now;
        }
        let idle_since = self.last.max(self.reading_until);
        if now.saturating_duration_since(idle_since) >= STALL_TIMEOUT { Err(Stalled::NotReading) } else { Ok(()) }
    }

    /// Ask how much was acknowledged. Returns whether that is everything.
    fn update(&mut self, now: Instant) -> bool {
        // Nothing can be said about a socket that does not tell.
        let Ok(acknowledged) = self.socket.acknowledged() else { return true };
        if let Some(more) = acknowledged.checked_sub(self.acknowledged).filter(|more| *more > 0) {
            self.last = now;
            let credit = Duration::from_millis(more.saturating_mul(1000) / MINIMUM_RATE);
            self.reading_until = (self.reading_until.max(now) + credit.min(LONGEST_CREDIT)).min(now + LONGEST_CREDIT);
        }
        self.acknowledged = acknowledged;
        acknowledged == self.socket.written()
    }
}
