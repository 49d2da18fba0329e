//! Limits how many similar lines are written.
//!
//! Lines are similar if they come from the same place in the source (tracing's callsite) and are about the same camera,
//! channel or generation. Of similar lines, the first few in a time window are written. The others are counted, and the
//! log shows their number at the end of the window. Addresses and paths do not matter: clients choose them, so they
//! would limit nothing.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::targets::{AUDIT_TARGET, GUEST_TARGET};

/// The time over which lines are counted.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// How many similar lines are written in a window: more than a person reads, and more than anything but a fault or an
/// attack causes.
const MAX_LINES: u64 = 20;

/// The same for lines that guests print: about a second's worth of a guest that prints a line per request.
const MAX_GUEST_LINES: u64 = 500;

/// The same for lines of the audit log: more than operators cause, and enough to see what somebody did who changes
/// controls again and again.
const MAX_AUDIT_LINES: u64 = 500;

/// How many keys are tracked. The source has some dozens of callsites, and there are about a hundred channels at a
/// time, but guests choose the names of channels.
const MAX_KEYS: usize = 1024;

/// What to do with an event.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Decision {
    /// Write it.
    Write,
    /// Suppress it. It is the first in its window, so pass its text to [`RateLimiter::set_example`].
    SuppressFirst(Key),
    /// Suppress it.
    Suppress,
}

/// What similar events have in common: their callsite, and a hash of what they are about.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Key {
    callsite: Identifier,
    subject: u64,
}

/// What was suppressed in one window.
pub(super) struct Summary {
    pub(super) level: Level,
    pub(super) count: u64,
    /// The text of the first suppressed line.
    pub(super) example: String,
}

/// Counts similar lines.
#[derive(Default)]
pub(super) struct RateLimiter {
    windows: Mutex<HashMap<Key, Window>>,
    /// Whether any window has suppressed lines.
    suppresses: AtomicBool,
}

struct Window {
    start: Instant,
    level: Level,
    lines: u64,
    limit: u64,
    example: String,
}

impl Window {
    fn suppressed(&self) -> u64 {
        self.lines.saturating_sub(self.limit)
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.start) >= WINDOW
    }
}

impl RateLimiter {
    /// Counts an event and decides whether to write it. Events below `info` are not limited, because they are logged
    /// only if `RUST_LOG` asks for them.
    pub(super) fn check(&self, event: &Event<'_>, now: Instant) -> Decision {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO {
            return Decision::Write;
        }
        let mut subject = SubjectHasher::default();
        event.record(&mut subject);
        let key = Key { callsite: metadata.callsite(), subject: subject.0.finish() };
        let limit = match metadata.target() {
            GUEST_TARGET => MAX_GUEST_LINES,
            AUDIT_TARGET => MAX_AUDIT_LINES,
            _ => MAX_LINES,
        };
        self.count(key, *metadata.level(), limit, now)
    }

    fn count(&self, mut key: Key, level: Level, limit: u64, now: Instant) -> Decision {
        let mut windows = self.windows();
        if windows.len() >= MAX_KEYS && !windows.contains_key(&key) {
            windows.retain(|_, window| !window.is_over(now) || window.suppressed() > 0);
            if windows.len() >= MAX_KEYS {
                // Use one key for everything from this callsite. There are few callsites.
                key.subject = 0;
            }
        }
        let new = || Window { start: now, level, lines: 0, limit, example: String::new() };
        let window = windows.entry(key.clone()).or_insert_with(new);
        // A window that has suppressed lines ends with its summary.
        if window.is_over(now) && window.suppressed() == 0 {
            *window = new();
        }
        window.lines += 1;
        match window.suppressed() {
            0 => Decision::Write,
            1 => {
                self.suppresses.store(true, Ordering::Relaxed);
                Decision::SuppressFirst(key)
            }
            _ => Decision::Suppress,
        }
    }

    /// Sets the text of the first suppressed line.
    pub(super) fn set_example(&self, key: Key, example: String) {
        if let Some(window) = self.windows().get_mut(&key) {
            window.example = example;
        }
    }

    /// Whether any window has suppressed lines, so that there will be summaries.
    pub(super) fn suppresses(&self) -> bool {
        self.suppresses.load(Ordering::Relaxed)
    }

    /// Ends the windows that are over at `now`, or all of them if `now` is `None`, and returns what they suppressed.
    pub(super) fn summaries(&self, now: Option<Instant>) -> Vec<Summary> {
        if !self.suppresses() {
            return Vec::new();
        }
        let mut windows = self.windows();
        let is_due = |window: &Window| window.suppressed() > 0 && now.is_none_or(|now| window.is_over(now));
        let due = windows.extract_if(|_, window| is_due(window));
        let summaries = due
            .map(|(_, window)| Summary { level: window.level, count: window.suppressed(), example: window.example })
            .collect();
        let suppresses = windows.values().any(|window| window.suppressed() > 0);
        self.suppresses.store(suppresses, Ordering::Relaxed);
        summaries
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<Key, Window>> {
        // No code that holds the lock can leave the map inconsistent.
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hashes the fields that say what an event is about.
#[derive(Default)]
struct SubjectHasher(DefaultHasher);

impl Visit for SubjectHasher {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if ["camera", "channel", "generation"].contains(&field.name()) {
            // Fails only if the value's `Debug` implementation does.
            let _ = write!(self, "{value:?}");
        }
    }
}

impl fmt::Write for SubjectHasher {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::Interest;
    use tracing::{Callsite, Metadata};

    use super::*;

    struct TestCallsite;

    impl Callsite for TestCallsite {
        fn set_interest(&self, _: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            unimplemented!("only its address is compared")
        }
    }

    fn key(subject: u64) -> Key {
        static CALLSITE: TestCallsite = TestCallsite;
        Key { callsite: Identifier(&CALLSITE), subject }
    }

    fn written(limiter: &RateLimiter, key: &Key, count: u64, now: Instant) -> u64 {
        let decisions = (0..count).map(|_| limiter.count(key.clone(), Level::WARN, MAX_LINES, now));
        decisions.filter(|decision| *decision == Decision::Write).count() as u64
    }

    #[test]
    fn lines_beyond_the_limit_are_counted_and_summarised_at_the_end_of_the_window() {
        let limiter = RateLimiter::default();
        let start = Instant::now();
        assert_eq!(written(&limiter, &key(1), 1000, start), MAX_LINES);
        assert_eq!(written(&limiter, &key(2), 3, start), 3, "another camera");
        assert!(limiter.suppresses());
        limiter.set_example(key(1), "example".to_owned());
        assert!(limiter.summaries(Some(start + WINDOW / 2)).is_empty(), "the window is not over");
        let [summary] = &limiter.summaries(Some(start + WINDOW))[..] else { panic!("not exactly one summary") };
        assert_eq!((summary.count, summary.example.as_str()), (1000 - MAX_LINES, "example"));
        assert!(!limiter.suppresses());
        assert_eq!(written(&limiter, &key(1), 1000, start + WINDOW), MAX_LINES, "another window");
        assert_eq!(limiter.summaries(None).len(), 1);
    }

    #[test]
    fn a_window_without_suppressed_lines_starts_again() {
        let limiter = RateLimiter::default();
        let start = Instant::now();
        for window in 0..3 {
            assert_eq!(written(&limiter, &key(1), MAX_LINES, start + WINDOW * window), MAX_LINES);
        }
    }

    #[test]
    fn the_number_of_keys_is_limited() {
        let limiter = RateLimiter::default();
        let now = Instant::now();
        for number in 1..10_000 {
            limiter.count(key(number), Level::WARN, MAX_LINES, now);
        }
        assert!(limiter.windows().len() <= MAX_KEYS + 1);
    }
}
