//! Compiles and composes components in a separate process.
//!
//! A malicious component can take gigabytes or hours to compile, or trigger a bug in the compiler. So this program runs
//! itself again as `hotshoe compile` or `hotshoe compose` (`compiler_process.rs`), with limits. However that process
//! ends, the server learns the reason, and the system gets all of its memory back.
//!
//! ```text
//! server ── the component, through a pipe ──► hotshoe compile ── artifact, in an anonymous file ──► server
//!        └─ closing the pipe cancels it                       └─ error message, on standard error ─►
//! ```

use std::ffi::OsStr;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::Signal;

use super::artifact::ArtifactKey;
use super::compiler_process::{self, CPU_LIMIT, TIME_LIMIT};
use crate::process::heap::LIMITED_CHILD;
use crate::process::memory_file::create_memory_file;

/// The bounds of the compiler's memory limit, in bytes; see [`memory_limit`]. A component of 13 MB with 22,000
/// functions, typical for an interpreter, takes 400 MiB.
const LOWEST_MEMORY_LIMIT: u64 = 128 << 20;
const HIGHEST_MEMORY_LIMIT: u64 = 1 << 30;

/// The largest output of the compiler, in bytes: as large as all entries of the compile cache together. The server holds
/// it in memory while the component may run. A component with an interpreter has 55 MB.
const OUTPUT_LIMIT: u64 = 256 << 20;

/// The most threads of the compiler. Each takes up to 100 MiB for functions in progress.
const MAX_THREADS: usize = 4;

/// The longest error message read from the compiler, in bytes.
const MESSAGE_LIMIT: u64 = 4 << 10;

/// The priority of the compiler.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Priority {
    /// That of the server, with several threads. Nothing else is running yet.
    Normal,
    /// Lower than that of the server, with several threads. There are no viewers, but there may be soon.
    Unwatched,
    /// Lower than that of the server, with one thread. The server serves streams.
    Background,
}

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The component is invalid, or needs more than an instance may have.
    #[error("{0}")]
    Invalid(String),
    /// The compiler reached its memory limit, in bytes.
    #[error("it needs more than {} MiB of memory", .0 >> 20)]
    OutOfMemory(u64),
    /// The output of the compiler is larger than the server accepts.
    #[error("its compiled code takes more than {} MiB", OUTPUT_LIMIT >> 20)]
    TooLarge,
    /// The compiler reached its limit on CPU time.
    #[error("it needs more than {} seconds of CPU time", CPU_LIMIT.as_secs())]
    CpuTime,
    /// The compiler reached its limit on wall-clock time.
    #[error("it takes longer than {} seconds", TIME_LIMIT.as_secs())]
    TimedOut,
    /// The compiler was killed.
    #[error("the compiler was killed; the system may be out of memory")]
    Killed,
    /// The component triggered a bug in the compiler.
    #[error("the compiler crashed; please report this, and attach the guest ({0})")]
    Crashed(String),
    /// The [`CompileGuard`] was dropped.
    #[error("it was cancelled")]
    Cancelled,
    /// The compiler process cannot be started, or communication with it failed.
    #[error("cannot run the compiler: {0}")]
    System(#[from] io::Error),
}

/// Cancels the compilation when dropped.
#[derive(Default)]
pub struct CompileGuard(Cancellation);

impl CompileGuard {
    /// The handle to pass to the compilation.
    pub fn cancellation(&self) -> Cancellation {
        self.0.clone()
    }
}

impl Drop for CompileGuard {
    fn drop(&mut self) {
        self.0.set(State::Cancelled);
    }
}

/// Connects a compilation to its [`CompileGuard`]. Clones share their state.
#[derive(Clone, Default)]
pub struct Cancellation(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    /// The compiler has not been started.
    #[default]
    NotStarted,
    /// The compiler runs until this pipe is closed.
    Running { _stdin: ChildStdin },
    /// The compiler must exit, or not be started.
    Cancelled,
}

impl Cancellation {
    /// Changes the state, unless it is [`State::Cancelled`].
    fn set(&self, state: State) {
        // The unused state is dropped, and its pipe closed, after the lock is released.
        let _unused = {
            let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(*current, State::Cancelled) { state } else { std::mem::replace(&mut *current, state) }
        };
    }

    fn is_cancelled(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), State::Cancelled)
    }
}

/// Compiles a component for instances with up to `guest_memory` bytes of linear memory, and returns the artifact. The
/// compiler looks for functions in the folder `functions`, and stores new ones there.
///
/// Blocks until that is done, a tenth of a second for the built-in guest, or until soon after the guard of
/// `cancellation` was dropped.
pub(super) fn compile(
    component: &[u8],
    key: &ArtifactKey,
    guest_memory: usize,
    functions: Option<&Path>,
    priority: Priority,
    cancellation: &Cancellation,
) -> Result<Vec<u8>, CompileError> {
    let (key, guest_memory) = (key.to_string(), guest_memory.to_string());
    let mut args: Vec<&OsStr> =
        ["compile", "--key", &key, "--guest-memory", &guest_memory].into_iter().map(OsStr::new).collect();
    if let Some(folder) = functions {
        args.extend([OsStr::new("--functions"), folder.as_os_str()]);
    }
    run(&args, &[component], priority, cancellation)
}

/// Composes the middleware, outermost first, and the guest, which is last. Blocks as [`compile`] does.
pub(super) fn compose(
    components: &[&[u8]],
    priority: Priority,
    cancellation: &Cancellation,
) -> Result<Vec<u8>, CompileError> {
    run(&[OsStr::new("compose")], components, priority, cancellation)
}

/// Runs a hidden command of this program with these components on standard input, and returns its output.
fn run(
    args: &[&OsStr],
    components: &[&[u8]],
    priority: Priority,
    cancellation: &Cancellation,
) -> Result<Vec<u8>, CompileError> {
    if cancellation.is_cancelled() {
        return Err(CompileError::Cancelled);
    }
    let memory_limit = memory_limit();
    let mut output = create_memory_file("guest")?;
    // The running executable, even if its file was replaced since (proc_pid_exe(5)).
    let mut command = Command::new("/proc/self/exe");
    command.args(args).env(LIMITED_CHILD.0, LIMITED_CHILD.1);
    for component in components {
        command.args(["--length", &component.len().to_string()]);
    }
    command.args(["--memory-limit", &memory_limit.to_string()]);
    if priority != Priority::Normal {
        command.arg("--background");
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads(priority, memory_limit, processors);
    // The size of the thread pool that wasmtime compiles in (rayon, `ThreadPoolBuilder::num_threads`).
    command.args(["--threads", &threads.to_string()]).env("RAYON_NUM_THREADS", threads.to_string());
    command.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // Fails if the process has exited already. Its exit status says why.
        if components.iter().all(|component| stdin.write_all(component).is_ok()) {
            cancellation.set(State::Running { _stdin: stdin });
        }
    }
    let mut message = Vec::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.by_ref().take(MESSAGE_LIMIT).read_to_end(&mut message)?;
        io::copy(&mut stderr, &mut io::sink())?;
    }
    let status = child.wait()?;
    let message = String::from_utf8_lossy(&message).split_whitespace().collect::<Vec<_>>().join(" ");
    outcome(status, message, memory_limit)?;
    let length = output.metadata()?.len();
    if length > OUTPUT_LIMIT {
        return Err(CompileError::TooLarge);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    output.rewind()?;
    output.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Interprets the exit status and the error message of the compiler.
fn outcome(status: ExitStatus, message: String, memory_limit: u64) -> Result<(), CompileError> {
    let is_signal = |signal: Signal| status.signal() == Some(signal.as_raw());
    // The message of Rust's allocator before it aborts, and the error of mmap(2).
    let is_out_of_memory = message.contains("memory allocation of") || message.contains("Cannot allocate memory");
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(0) => Ok(()),
        _ if is_out_of_memory => Err(CompileError::OutOfMemory(memory_limit)),
        Some(compiler_process::INVALID) => Err(CompileError::Invalid(message)),
        Some(compiler_process::TIMED_OUT) => Err(CompileError::TimedOut),
        Some(compiler_process::CANCELLED) => Err(CompileError::Cancelled),
        _ if is_signal(Signal::XCPU) => Err(CompileError::CpuTime),
        _ if is_signal(Signal::KILL) => Err(CompileError::Killed),
        _ => Err(CompileError::Crashed(format!("{status}: {message}"))),
    }
}

/// The compiler's memory limit: three quarters of the available memory, within fixed bounds. In bytes.
fn memory_limit() -> u64 {
    let available = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    available.map_or(HIGHEST_MEMORY_LIMIT, |kib| (kib << 10) / 4 * 3).clamp(LOWEST_MEMORY_LIMIT, HIGHEST_MEMORY_LIMIT)
}

/// The number of threads that compile on a machine with this many processors. Where memory is short, one: more need more
/// memory.
fn threads(priority: Priority, memory_limit: u64, processors: usize) -> usize {
    if priority == Priority::Background || memory_limit < HIGHEST_MEMORY_LIMIT {
        return 1;
    }
    processors.min(MAX_THREADS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_threads_compile_only_without_viewers_and_with_enough_memory() {
        for priority in [Priority::Normal, Priority::Unwatched, Priority::Background] {
            assert_eq!(threads(priority, HIGHEST_MEMORY_LIMIT - 1, 8), 1, "{priority:?}");
            assert_eq!(threads(priority, HIGHEST_MEMORY_LIMIT, 1), 1, "{priority:?}");
        }
        for priority in [Priority::Normal, Priority::Unwatched] {
            assert_eq!(threads(priority, HIGHEST_MEMORY_LIMIT, 2), 2, "{priority:?}");
            assert_eq!(threads(priority, HIGHEST_MEMORY_LIMIT, 100), MAX_THREADS, "{priority:?}");
        }
        assert_eq!(threads(Priority::Background, HIGHEST_MEMORY_LIMIT, 8), 1);
    }

    #[test]
    fn every_exit_status_maps_to_an_error_with_a_reason() {
        let code = |code: u8| ExitStatus::from_raw(i32::from(code) << 8);
        let signal = |signal: Signal| ExitStatus::from_raw(signal.as_raw());
        let error = |status, message: &str| outcome(status, message.to_owned(), 1 << 30).unwrap_err().to_string();
        assert!(outcome(code(0), String::new(), 0).is_ok());
        assert_eq!(error(code(compiler_process::INVALID), "unknown type"), "unknown type");
        let out_of_memory = "it needs more than 1024 MiB of memory";
        assert_eq!(error(signal(Signal::ABORT), "memory allocation of 4096 bytes failed"), out_of_memory);
        assert_eq!(error(code(compiler_process::INVALID), "Cannot allocate memory (os error 12)"), out_of_memory);
        assert_eq!(error(signal(Signal::XCPU), ""), "it needs more than 300 seconds of CPU time");
        assert_eq!(error(code(compiler_process::TIMED_OUT), ""), "it takes longer than 600 seconds");
        assert!(error(signal(Signal::KILL), "").contains("out of memory"));
        assert!(error(signal(Signal::SEGV), "").contains("please report this"));
        assert!(error(code(101), "panicked at x.rs: y").contains("panicked at x.rs: y"));
    }
}
