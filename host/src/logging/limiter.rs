//! How many lines of one kind are written.
//!
//! A kind is a place in the source (tracing's callsite) and the camera, the channel or the generation that it is about. Of
//! each kind, the first lines in a window of time are written; those beyond are counted, and the log tells their number at
//! the end of the window. Addresses and paths are no part of a kind: clients choose them, so they bound nothing.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::GUEST_TARGET;

/// The time over which lines are counted.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// How many lines of one kind are written in a window. More than a person reads, and than anything but a fault or an
/// attack causes.
const LINES: u64 = 20;

/// As many for what guests print: a second's worth of a guest that prints a line for each request, say.
const GUEST_LINES: u64 = 500;

/// How many kinds are told apart. There are some dozens of places in the source; a guest chooses the names of channels, of
/// which there are about a hundred at a time.
const KINDS: usize = 1024;

/// Whether an event is written.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It is.
    Write,
    /// It is not, and it is the first of its kind in this window that is not. Its text is wanted, by
    /// [`RateLimiter::set_example`].
    SuppressFirst(Kind),
    /// It is not.
    Suppress,
}

/// Where in the source an event is from, and a hash of what it is about.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Kind {
    callsite: Identifier,
    subject: u64,
}

/// What was suppressed in one window.
pub(super) struct Summary {
    pub(super) level: Level,
    pub(super) count: u64,
    /// The text of the first line of those.
    pub(super) example: String,
}

/// Counts lines by their kind.
#[derive(Default)]
pub(super) struct RateLimiter {
    counts: Mutex<HashMap<Kind, Count>>,
    /// Whether any window has lines that were suppressed.
    suppresses: AtomicBool,
}

struct Count {
    begun: Instant,
    level: Level,
    lines: u64,
    limit: u64,
    example: String,
}

impl Count {
    fn suppressed(&self) -> u64 {
        self.lines.saturating_sub(self.limit)
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.begun) >= WINDOW
    }
}

impl RateLimiter {
    /// Count an event. Those below `info` are always written: they are logged only where `RUST_LOG` asks for them.
    pub(super) fn check(&self, event: &Event<'_>, now: Instant) -> Verdict {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO {
            return Verdict::Write;
        }
        let mut subject = Subject::default();
        event.record(&mut subject);
        let kind = Kind { callsite: metadata.callsite(), subject: subject.0.finish() };
        let limit = if metadata.target() == GUEST_TARGET { GUEST_LINES } else { LINES };
        self.count(kind, *metadata.level(), limit, now)
    }

    fn count(&self, mut kind: Kind, level: Level, limit: u64, now: Instant) -> Verdict {
        let mut counts = self.counts();
        if counts.len() >= KINDS && !counts.contains_key(&kind) {
            counts.retain(|_, count| !count.is_over(now) || count.suppressed() > 0);
            if counts.len() >= KINDS {
                // Too many to tell apart: one for all of this place in the source. Those are few.
                kind.subject = 0;
            }
        }
        let fresh = || Count { begun: now, level, lines: 0, limit, example: String::new() };
        let count = counts.entry(kind.clone()).or_insert_with(fresh);
        // One that suppressed something ends with its summary.
        if count.is_over(now) && count.suppressed() == 0 {
            *count = fresh();
        }
        count.lines += 1;
        match count.suppressed() {
            0 => Verdict::Write,
            1 => {
                self.suppresses.store(true, Ordering::Relaxed);
                Verdict::SuppressFirst(kind)
            }
            _ => Verdict::Suppress,
        }
    }

    /// Keep the text of the first line that was suppressed.
    pub(super) fn set_example(&self, kind: Kind, example: String) {
        if let Some(count) = self.counts().get_mut(&kind) {
            count.example = example;
        }
    }

    /// Whether there will be summaries.
    pub(super) fn suppresses(&self) -> bool {
        self.suppresses.load(Ordering::Relaxed)
    }

    /// What was suppressed in windows that are over at this moment; in all windows, if there is none. Those windows end.
    pub(super) fn summaries(&self, now: Option<Instant>) -> Vec<Summary> {
        if !self.suppresses() {
            return Vec::new();
        }
        let mut counts = self.counts();
        let is_due = |count: &Count| count.suppressed() > 0 && now.is_none_or(|now| count.is_over(now));
        let due = counts.extract_if(|_, count| is_due(count));
        let summaries = due
            .map(|(_, count)| Summary { level: count.level, count: count.suppressed(), example: count.example })
            .collect();
        let suppresses = counts.values().any(|count| count.suppressed() > 0);
        self.suppresses.store(suppresses, Ordering::Relaxed);
        summaries
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Kind, Count>> {
        // Nothing that is done under the lock can leave it half done.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hashes what an event is about.
#[derive(Default)]
struct Subject(DefaultHasher);

impl Visit for Subject {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if ["camera", "channel", "generation"].contains(&field.name()) {
            // Fails where the value's own implementation does.
            let _ = write!(self, "{value:?}");
        }
    }
}

impl fmt::Write for Subject {
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

    struct Place;

    impl Callsite for Place {
        fn set_interest(&self, _: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            unimplemented!("it is only compared")
        }
    }

    fn kind(subject: u64) -> Kind {
        static PLACE: Place = Place;
        Kind { callsite: Identifier(&PLACE), subject }
    }

    fn written(limiter: &RateLimiter, kind: &Kind, count: u64, now: Instant) -> u64 {
        let verdicts = (0..count).map(|_| limiter.count(kind.clone(), Level::WARN, LINES, now));
        verdicts.filter(|verdict| *verdict == Verdict::Write).count() as u64
    }

    #[test]
    fn lines_beyond_the_limit_are_counted_and_summed_up_at_the_end_of_the_window() {
        let limiter = RateLimiter::default();
        let begun = Instant::now();
        assert_eq!(written(&limiter, &kind(1), 1000, begun), LINES);
        assert_eq!(written(&limiter, &kind(2), 3, begun), 3, "another camera's");
        assert!(limiter.suppresses());
        limiter.set_example(kind(1), "example".to_owned());
        assert!(limiter.summaries(Some(begun + WINDOW / 2)).is_empty(), "the window is not over");
        let [summary] = &limiter.summaries(Some(begun + WINDOW))[..] else { panic!("there is one summary") };
        assert_eq!((summary.count, summary.example.as_str()), (1000 - LINES, "example"));
        assert!(!limiter.suppresses());
        assert_eq!(written(&limiter, &kind(1), 1000, begun + WINDOW), LINES, "another window");
        assert_eq!(limiter.summaries(None).len(), 1);
    }

    #[test]
    fn a_window_without_excess_starts_anew() {
        let limiter = RateLimiter::default();
        let begun = Instant::now();
        for window in 0..3 {
            assert_eq!(written(&limiter, &kind(1), LINES, begun + WINDOW * window), LINES);
        }
    }

    #[test]
    fn it_remembers_a_bounded_number_of_kinds() {
        let limiter = RateLimiter::default();
        let now = Instant::now();
        for number in 1..10_000 {
            limiter.count(kind(number), Level::WARN, LINES, now);
        }
        assert!(limiter.counts().len() <= KINDS + 1);
    }
}
