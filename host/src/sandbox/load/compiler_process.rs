//! The inside of the compiler process, `hotshoe compile` and `hotshoe compose`. Only the server runs it.
//!
//! The process reads components from standard input and writes an artifact, or the composed component, to standard
//! output. The server keeps standard input open while it needs the result. When it closes the pipe, or dies, the
//! process exits.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::{ExitCode, exit};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};
use wasmtime::CacheStore;

use super::function_cache::FunctionCache;
use super::{artifact, compose};
use crate::sandbox::engine::compiler_engine;
use crate::sandbox::wasmtime_error::one_line;

/// The most CPU time that compiling may take. A component of 13 MB with 22,000 functions, typical for an
/// interpreter, takes 47 s in a debug build on a server's core. The limit must also suffice on a Raspberry Pi.
pub(super) const CPU_LIMIT: Duration = Duration::from_secs(300);

/// The most wall-clock time that compiling may take. Longer than [`CPU_LIMIT`], because streams have priority.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(600);

/// The time between SIGXCPU, at [`CPU_LIMIT`], and SIGKILL, in seconds.
const KILL_DELAY: u64 = 5;

/// The exit code if the component cannot be compiled. Standard error has the reason.
pub(super) const INVALID: u8 = 3;
/// The exit code after [`TIME_LIMIT`].
pub(super) const TIMED_OUT: u8 = 4;
/// The exit code if the server no longer needs the result.
pub(super) const CANCELLED: u8 = 5;

/// The nice value while streams are served, because they take precedence.
const NICENESS: i32 = 10;

/// The options of all commands.
#[derive(Debug)]
pub struct ProcessOptions<'a> {
    /// The lengths of the components on standard input, in bytes.
    pub lengths: &'a [usize],
    /// The most memory that this process may use, in bytes.
    pub memory_limit: u64,
    /// Whether to run at a low priority, because streams may be served.
    pub background: bool,
    /// The number of threads that compile.
    pub threads: usize,
}

/// Compiles one component from standard input to standard output. `key` is the text of the artifact's key,
/// `guest_memory` the most linear memory that an instance may have, in bytes. Functions that earlier compilations stored
/// in the folder `functions` are not compiled again. Blocks until that is done.
pub fn compile(options: &ProcessOptions<'_>, key: &str, guest_memory: usize, functions: Option<&Path>) -> ExitCode {
    run(options, |components| {
        let component = components.first().map_or(&[][..], Vec::as_slice);
        // Without the functions, this takes longer. The server warns if it cannot store the artifact beside them.
        let functions = functions.and_then(|folder| FunctionCache::open(folder).ok()).map(Arc::new);
        let store = functions.clone().map(|functions| functions as Arc<dyn CacheStore>);
        let code = compiler_engine(guest_memory, options.threads > 1, store)?.precompile_component(component)?;
        let mut stdout = io::stdout().lock();
        stdout.write_all(&artifact::checksum(key, &code))?;
        stdout.write_all(&code)?;
        stdout.flush()?;
        if let Some(functions) = functions {
            let _ = functions.save();
        }
        Ok(())
    })
}

/// Composes the middleware on standard input, outermost first, with the guest, which is last. Writes the component to
/// standard output. Blocks until that is done.
pub fn compose(options: &ProcessOptions<'_>) -> ExitCode {
    run(options, |components| {
        let mut stdout = io::stdout().lock();
        stdout.write_all(&compose::compose(components)?)?;
        Ok(stdout.flush()?)
    })
}

/// Reads the components and passes them to `work`, within the limits of this process.
fn run(options: &ProcessOptions<'_>, work: impl FnOnce(Vec<Vec<u8>>) -> wasmtime::Result<()>) -> ExitCode {
    match read_components(options).and_then(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If this fails, the server is gone, and nobody needs the message.
            let _ = writeln!(io::stderr(), "{}", one_line(&error));
            ExitCode::from(INVALID)
        }
    }
}

fn read_components(options: &ProcessOptions<'_>) -> wasmtime::Result<Vec<Vec<u8>>> {
    set_limits(options);
    let mut components = Vec::new();
    for length in options.lengths {
        let mut component = vec![0; *length];
        io::stdin().lock().read_exact(&mut component)?;
        components.push(component);
    }
    thread::Builder::new().name("watch-stdin".to_owned()).spawn(exit_when_stdin_closes)?;
    Ok(components)
}

/// Limits the resources of this process. If the system refuses a limit, the one inherited from the server stays.
fn set_limits(options: &ProcessOptions<'_>) {
    let set = |resource, soft: u64, hard: u64| {
        let _ = setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) });
    };
    // All private writable memory (getrlimit(2); since Linux 4.7).
    set(Resource::Data, options.memory_limit, options.memory_limit);
    // SIGXCPU at the soft limit, SIGKILL at the hard one.
    set(Resource::Cpu, CPU_LIMIT.as_secs(), CPU_LIMIT.as_secs() + KILL_DELAY);
    set(Resource::Core, 0, 0);
    if options.background {
        let _ = setpriority_process(None, NICENESS);
    }
    // If the system runs out of memory, the kernel should kill this process and not the server
    // (proc_pid_oom_score_adj(5)).
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
}

/// Exits the process when standard input is closed, or at [`TIME_LIMIT`].
fn exit_when_stdin_closes() {
    let deadline = Instant::now() + TIME_LIMIT;
    let stdin = io::stdin();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            exit(TIMED_OUT.into());
        }
        let mut polled = [PollFd::new(&stdin, PollFlags::IN)];
        let events = poll(&mut polled, Timespec::try_from(left).ok().as_ref());
        // The component was read, and the server sends nothing else, so any event means that it closed the pipe. A
        // signal may interrupt the poll.
        if events.is_ok_and(|events| events > 0) {
            exit(CANCELLED.into());
        }
    }
}
