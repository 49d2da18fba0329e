//! The log: lines on standard error that never hold anything up.
//!
//! ```text
//! tracing event ──► level filter ──► RateLimiter ──► line ──► LineQueue ──► thread "log" ──► stderr
//!                                    drops, counts            drops, counts
//! ```
//!
//! * `limiter`: how many lines of one kind are written; what a client or a guest can cause is bounded by it.
//! * `line`: an event as a line of text.
//! * `queue`: lines that wait for the thread that writes them. If standard error is a pipe that nobody reads, that thread
//!   alone waits.
//!
//! Events carry what they are about as fields, which stand in front of the message: `camera`, `channel`, `generation`,
//! `request`.

mod limiter;
mod line;
mod queue;

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::panic;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber, error, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use limiter::{RateLimiter, Verdict};
use line::Line;
use queue::LineQueue;

/// The target of what guests print, for `RUST_LOG` and for the limiter, which allows more of it.
pub const GUEST_TARGET: &str = "guest";

/// What is left out unless `RUST_LOG` names it.
const QUIET: [(&str, LevelFilter); 4] = [
    ("cranelift", LevelFilter::INFO),
    ("notify", LevelFilter::WARN),
    ("regalloc2", LevelFilter::INFO),
    ("wasmtime", LevelFilter::INFO),
];

/// How long the end of the program waits for standard error to take the last lines.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The system gives no thread, or no descriptor for standard error.
    #[error("cannot start the log: {0}")]
    System(#[from] io::Error),
    /// There is one in this process already.
    #[error("cannot start the log: {0}")]
    Init(#[from] TryInitError),
}

/// The running log. Dropping it writes what is left, for as long as standard error takes it.
pub struct Log {
    state: Arc<State>,
}

impl Log {
    /// Log to standard error from here on: from `info` up, or what `RUST_LOG` says, such as `debug` or
    /// `info,hyper=trace`. Panics are logged as well.
    pub fn start() -> Result<Self, LoggingError> {
        // Not through std's own handle: a thread that waits in there would hold its lock, and `eprintln!` would wait too.
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let state = Arc::new(State {
            limiter: RateLimiter::default(),
            queue: LineQueue::default(),
            is_coloured: io::stderr().is_terminal(),
        });
        let writer = state.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.write_all(stderr))?;
        let (filter, misunderstood) = filter();
        tracing_subscriber::registry().with(filter).with(LogLayer(state.clone())).try_init()?;
        if let Some(error) = misunderstood {
            warn!("RUST_LOG is not understood, so it is taken as info: {error}");
        }
        panic::set_hook(Box::new(|panic| {
            let thread = thread::current();
            let payload = panic.payload_as_str().unwrap_or("no message");
            let location = panic.location().map(ToString::to_string).unwrap_or_default();
            error!("thread {} panicked at {location}: {payload}; please report this", thread.name().unwrap_or("?"));
        }));
        Ok(Self { state })
    }

    /// Write a line as it is, without time and level.
    pub fn print(&self, text: &str) {
        self.state.queue.push(format!("{text}\n"));
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.state.report_suppressed(None);
        self.state.queue.flush(FLUSH_LIMIT);
    }
}

/// Which events are logged, and what is wrong with `RUST_LOG`.
fn filter() -> (Targets, Option<tracing_subscriber::filter::ParseError>) {
    let usual = || Targets::new().with_default(LevelFilter::INFO).with_targets(QUIET);
    let asked = std::env::var("RUST_LOG").ok();
    match asked.as_deref().map(str::parse::<Targets>) {
        // A mere level is not meant for the compiler, which says 20,000 lines about a small guest.
        Some(Ok(filter)) if filter.iter().next().is_none() => (filter.with_targets(QUIET), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (usual(), Some(error)),
        None => (usual(), None),
    }
}

/// What the layer and the writing thread share.
struct State {
    limiter: RateLimiter,
    queue: LineQueue,
    /// Whether levels are coloured: standard error is a terminal.
    is_coloured: bool,
}

impl State {
    /// The body of the thread: write lines for ever.
    fn write_all(&self, mut stderr: File) {
        loop {
            // While nothing is suppressed, this thread is woken by lines alone.
            let timeout = self.limiter.suppresses().then_some(limiter::WINDOW);
            let batch = self.queue.take(timeout);
            if batch.lost > 0 {
                let text = format!("the log lost {} lines, standard error was not read fast enough", batch.lost);
                self.queue.push(Line::now(Level::WARN, text).render(self.is_coloured));
            }
            // There is nobody to tell of an error: whoever read this is gone.
            let _ = stderr.write_all(batch.text.as_bytes());
            self.queue.written();
            self.report_suppressed(Some(Instant::now()));
        }
    }

    /// Tell how many lines were suppressed in windows that are over at this moment; in all, if there is none.
    fn report_suppressed(&self, now: Option<Instant>) {
        for summary in self.limiter.summaries(now) {
            let text = format!("+{} more like this: {}", summary.count, summary.example);
            self.queue.push(Line::now(summary.level, text).render(self.is_coloured));
        }
    }
}

/// Makes lines of events.
struct LogLayer(Arc<State>);

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let State { limiter, queue, is_coloured } = &*self.0;
        match limiter.check(event, Instant::now()) {
            Verdict::Write => queue.push(Line::of(event).render(*is_coloured)),
            Verdict::SuppressFirst(key) => {
                limiter.set_example(key, Line::of(event).text);
                // So that the thread wakes at the end of the window.
                queue.wake();
            }
            Verdict::Suppress => {}
        }
    }
}
