//! The inside of the compiler's process: `hotshoe compile`, which is run by the server and by nobody else.
//!
//! It reads a component from standard input and writes an artifact to standard output. Standard input stays open for as
//! long as the server wants the result; when it is closed the process ends, and so it does when the server dies.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::process::{ExitCode, exit};
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};

use super::{CPU_LIMIT, TIME_LIMIT};
use crate::sandbox::artifact;
use crate::sandbox::component::one_line;
use crate::sandbox::engine::compiling_engine;

/// The exit code for a component that cannot be compiled; standard error says why.
pub(super) const INVALID: u8 = 3;
/// The exit code after too long.
pub(super) const TIMED_OUT: u8 = 4;
/// The exit code when the server does not want the result any more.
pub(super) const ABANDONED: u8 = 5;

/// The priority beside streams, as by `nice`: it takes what they leave.
const NICENESS: i32 = 10;

/// What to compile, and with how much.
#[derive(Debug)]
pub struct Job<'a> {
    /// What the artifact is of.
    pub key: &'a str,
    /// The length of the component, in bytes.
    pub length: usize,
    /// How much memory an instance may use, in bytes.
    pub guest_memory: usize,
    /// How much memory compiling may take, in bytes.
    pub memory_limit: u64,
    /// Whether there are streams, which come first.
    pub background: bool,
}

/// Compile one component.
pub fn run(job: &Job<'_>) -> ExitCode {
    match compile(job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody to say it to is as good as nobody to compile for.
            let _ = writeln!(io::stderr(), "{}", one_line(&error));
            ExitCode::from(INVALID)
        }
    }
}

fn compile(job: &Job<'_>) -> wasmtime::Result<()> {
    limit(job);
    let mut component = vec![0; job.length];
    io::stdin().lock().read_exact(&mut component)?;
    thread::Builder::new().name("lifeline".to_owned()).spawn(watch_lifeline)?;
    let code = compiling_engine(job.guest_memory)?.precompile_component(&component)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(&artifact::checksum(job.key, &code))?;
    stdout.write_all(&code)?;
    stdout.flush()?;
    Ok(())
}

/// Bound what this process may take. What the system does not allow to bound stays as it is: the server has limits as well.
fn limit(job: &Job<'_>) {
    let set = |resource, soft: u64, hard: u64| {
        let _ = setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) });
    };
    // All memory that is written to and no file's (getrlimit(2); since Linux 4.7).
    set(Resource::Data, job.memory_limit, job.memory_limit);
    // At the first SIGXCPU comes, and SIGKILL at the second.
    set(Resource::Cpu, CPU_LIMIT.as_secs(), CPU_LIMIT.as_secs() + 5);
    set(Resource::Core, 0, 0);
    if job.background {
        let _ = setpriority_process(None, NICENESS);
    }
    // If memory runs out, this process is to be killed and not the server (proc_pid_oom_score_adj(5)).
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
}

/// End the process when standard input is closed, or after too long.
fn watch_lifeline() {
    let deadline = Instant::now() + TIME_LIMIT;
    let stdin = io::stdin();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            exit(TIMED_OUT.into());
        }
        let mut polled = [PollFd::new(&stdin, PollFlags::IN)];
        let events = poll(&mut polled, Timespec::try_from(left).ok().as_ref());
        // Nothing more comes by it, so if anything happens it was closed. A signal may cut the wait short.
        if events.is_ok_and(|events| events > 0) {
            exit(ABANDONED.into());
        }
    }
}
