//! The log: lines on standard error. Logging never blocks its callers.
//!
//! ```text
//! tracing event ──► level filter ──► RateLimiter ──► LogLine ──► LogQueue ──► thread "log" ──► stderr
//!                                    drops, counts               drops, counts
//! ```
//!
//! * `limiter`: limits similar lines, and so what clients and guests can cause.
//! * `format`: formats an event as a line of text or JSON; `journal`: whether the journal of systemd reads it.
//! * `queue`: holds lines for the thread that writes them. If standard error is a pipe that nobody reads, only that
//!   thread blocks.
//!
//! * `targets`: targets of events that `RUST_LOG` can name.
//! * `line_output`: lines on standard output, such as the access log.
//!
//! Events carry what they are about as fields, which precede the message: `camera`, `channel`, `generation`, `request`.
//! Events with the target [`AUDIT_TARGET`] say who changed what.

mod format;
mod journal;
mod limiter;
mod line_output;
mod queue;
mod targets;

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::panic;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber, error, warn};
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use format::{LogLine, Style};
use limiter::{Decision, RateLimiter};
use queue::LogQueue;

pub use format::utc_now;
pub use line_output::LineOutput;
pub use targets::{AUDIT_TARGET, GUEST_TARGET};

/// The value of `--log-format`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object for each line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(value: &str) -> Result<Self, &'static str> {
        match value {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("use text or json"),
        }
    }
}

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
            is_json: AtomicBool::new(false),
            is_coloured: io::stderr().is_terminal(),
            is_journal: journal::is_stderr(),
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

    /// Sets the format of the lines that follow.
    pub fn set_format(&self, format: LogFormat) {
        self.state.is_json.store(format == LogFormat::Json, Ordering::Relaxed);
    }

    /// Writes the error that ends the program, as text without time and level.
    pub fn print_error(&self, text: &str) {
        let line = LogLine::now(Level::ERROR, text.to_owned());
        match self.state.style() {
            Style::Text { .. } if !self.state.is_journal => self.state.queue.push(format!("error: {text}\n")),
            _ => self.state.push(&line),
        }
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
    let (filter, invalid) = requested_filter();
    let names_audit = filter.iter().any(|(target, _)| target == AUDIT_TARGET);
    // `RUST_LOG=hotshoe=debug` must not turn off the audit log.
    let filter = if names_audit { filter } else { filter.with_target(AUDIT_TARGET, LevelFilter::INFO) };
    (filter, invalid)
}

fn requested_filter() -> (Targets, Option<ParseError>) {
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
    is_json: AtomicBool,
    /// Whether levels are coloured, because standard error is a terminal.
    is_coloured: bool,
    /// Whether the journal of systemd reads standard error.
    is_journal: bool,
}

impl State {
    fn style(&self) -> Style {
        match self.is_json.load(Ordering::Relaxed) {
            true => Style::Json,
            false => Style::Text { is_coloured: self.is_coloured },
        }
    }

    fn push(&self, line: &LogLine) {
        self.queue.push(line.render(self.style(), self.is_journal));
    }

    /// Writes lines forever.
    fn write_all(&self, mut stderr: File) {
        loop {
            // While nothing is suppressed, only lines wake this thread.
            let timeout = self.limiter.suppresses().then_some(limiter::WINDOW);
            let batch = self.queue.take(timeout);
            if batch.dropped > 0 {
                let text = format!("{} log lines were dropped: standard error was not read fast enough", batch.dropped);
                self.push(&LogLine::now(Level::WARN, text));
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
            self.push(&LogLine::now(summary.level, text));
        }
    }
}

/// Turns events into lines.
struct LogLayer(Arc<State>);

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let state = &*self.0;
        match state.limiter.check(event, Instant::now()) {
            Decision::Write => state.push(&LogLine::from_event(event)),
            Decision::SuppressFirst(key) => {
                state.limiter.set_example(key, LogLine::from_event(event).text());
                // So that the thread waits no longer than the window.
                state.queue.wake();
            }
            Decision::Suppress => {}
        }
    }
}
