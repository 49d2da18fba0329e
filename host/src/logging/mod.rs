//! The log: lines on standard error. Logging never blocks its callers.
//!
//! ```text
//! tracing event ──► level filter ──► RateLimiter ──► LogLine ──► LogQueue ──► thread "log" ──► stderr
//!                                    drops, counts               drops, counts
//! ```
//!
//! * `limiter`: limits similar lines, and so what clients and guests can cause.
//! * `format`: formats an event as a line of text.
//! * `queue`: holds lines for the thread that writes them. If standard error is a pipe that nobody reads, only that
//!   thread blocks.
//!
//! Events carry what they are about as fields, which precede the message: `camera`, `channel`, `generation`, `request`.

mod format;
mod limiter;
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
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use format::LogLine;
use limiter::{Decision, RateLimiter};
use queue::LogQueue;

pub use limiter::GUEST_TARGET;

/// Targets with a level of their own, unless `RUST_LOG` names them. At `debug`, the compiler logs 20,000 lines about a
/// small guest.
const DEFAULT_LEVELS: [(&str, LevelFilter); 5] = [
    ("cranelift", LevelFilter::INFO),
    ("notify", LevelFilter::WARN),
    ("regalloc2", LevelFilter::INFO),
    // It repeats the error that the camera reports, at each attempt to connect.
    ("rustls_platform_verifier", LevelFilter::OFF),
    ("wasmtime", LevelFilter::INFO),
];

/// How long the program waits at its end until the last lines are written.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// Why the log cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The system refuses a thread, or a descriptor for standard error.
    #[error("cannot start the log: {0}")]
    System(#[from] io::Error),
    /// The process already has a log.
    #[error("cannot start the log: {0}")]
    Init(#[from] TryInitError),
}

/// The running log. Dropping it writes the remaining lines, but blocks for half a second at most.
pub struct Log {
    state: Arc<State>,
}

impl Log {
    /// Starts to log to standard error, at `info` or what `RUST_LOG` says, such as `debug` or `info,hyper=trace`. Also
    /// logs panics.
    pub fn start() -> Result<Self, LoggingError> {
        // Not std's own handle: a thread blocked in it holds its lock, which would block `eprintln!` too.
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let state = Arc::new(State {
            limiter: RateLimiter::default(),
            queue: LogQueue::default(),
            is_coloured: io::stderr().is_terminal(),
        });
        let writer = state.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.write_all(stderr))?;
        let (filter, invalid) = filter();
        tracing_subscriber::registry().with(filter).with(LogLayer(state.clone())).try_init()?;
        if let Some(error) = invalid {
            warn!("invalid RUST_LOG, using `info`: {error}");
        }
        panic::set_hook(Box::new(|panic| {
            let thread = thread::current();
            let payload = panic.payload_as_str().unwrap_or("no message");
            let location = panic.location().map(ToString::to_string).unwrap_or_default();
            error!("thread {} panicked at {location}: {payload}; please report this", thread.name().unwrap_or("?"));
        }));
        Ok(Self { state })
    }

    /// Writes a line as it is, without time and level.
    pub fn print(&self, text: &str) {
        self.state.queue.push(format!("{text}\n"));
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.state.report_suppressed(None);
        self.state.queue.flush(FLUSH_TIMEOUT);
    }
}

/// Reads `RUST_LOG`. If it is invalid, returns the default filter and the error.
fn filter() -> (Targets, Option<ParseError>) {
    let default = || Targets::new().with_default(LevelFilter::INFO).with_targets(DEFAULT_LEVELS);
    let variable = std::env::var("RUST_LOG").ok();
    match variable.as_deref().map(str::parse::<Targets>) {
        // A level without targets.
        Some(Ok(filter)) if filter.iter().next().is_none() => (filter.with_targets(DEFAULT_LEVELS), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (default(), Some(error)),
        None => (default(), None),
    }
}

/// The state shared by the layer and the thread that writes.
struct State {
    limiter: RateLimiter,
    queue: LogQueue,
    /// Whether levels are coloured, because standard error is a terminal.
    is_coloured: bool,
}

impl State {
    /// Writes lines forever.
    fn write_all(&self, mut stderr: File) {
        loop {
            // While nothing is suppressed, only lines wake this thread.
            let timeout = self.limiter.suppresses().then_some(limiter::WINDOW);
            let batch = self.queue.take(timeout);
            if batch.dropped > 0 {
                let text = format!("{} log lines were dropped: standard error was not read fast enough", batch.dropped);
                self.queue.push(LogLine::now(Level::WARN, text).render(self.is_coloured));
            }
            // There is nowhere to report an error: the reader is gone.
            let _ = stderr.write_all(batch.text.as_bytes());
            self.queue.batch_written();
            self.report_suppressed(Some(Instant::now()));
        }
    }

    /// Logs how many lines were suppressed in windows that are over at `now`, or in all windows if `now` is `None`.
    fn report_suppressed(&self, now: Option<Instant>) {
        for summary in self.limiter.summaries(now) {
            let text = format!("+{} more like this: {}", summary.count, summary.example);
            self.queue.push(LogLine::now(summary.level, text).render(self.is_coloured));
        }
    }
}

/// Turns events into lines.
struct LogLayer(Arc<State>);

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let State { limiter, queue, is_coloured } = &*self.0;
        match limiter.check(event, Instant::now()) {
            Decision::Write => queue.push(LogLine::from_event(event).render(*is_coloured)),
            Decision::SuppressFirst(key) => {
                limiter.set_example(key, LogLine::from_event(event).text);
                // So that the thread waits no longer than the window.
                queue.wake();
            }
            Decision::Suppress => {}
        }
    }
}
