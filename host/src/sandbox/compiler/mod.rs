//! The compiler of guests, in a process of its own.
//!
//! A component can be made that takes gigabytes or hours to compile, or that brings out a defect of the compiler. So this
//! program runs itself once more as `hotshoe compile` (`process.rs`), with limits on what that may take. When it dies the
//! reason is known, and all of its memory is given back.
//!
//! ```text
//! server ── the component, by a pipe ──► hotshoe compile ── artifact, in an anonymous file ──► server
//!        └─ closing the pipe ends it                     └─ what is wrong, on standard error ─►
//! ```

pub mod process;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::Signal;

use super::artifact::ArtifactKey;
use super::engine::Sandbox;

/// How much memory compiling a guest may take: three quarters of what is available, within these bounds. A component of
/// 13 MB with 22,000 functions, as those that bring an interpreter have, takes 400 MiB.
const MEMORY_MOST: u64 = 1 << 30;
const MEMORY_LEAST: u64 = 128 << 20;

/// How much processor time it may take. The same component takes 47 s in a debug build on a server's core; a Raspberry Pi has
/// to get through as well.
pub const CPU_LIMIT: Duration = Duration::from_secs(300);

/// How long it may take by the clock, beside streams that have the processor first.
pub const TIME_LIMIT: Duration = Duration::from_secs(600);

/// The most of what it says is read, in bytes.
const MESSAGE_LIMIT: u64 = 4 << 10;

/// How much the compiler may get in the way of everything else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Priority {
    /// Nothing else goes on yet.
    Normal,
    /// There are streams.
    Background,
}

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// It is no component that can be compiled.
    #[error("{0}")]
    Invalid(String),
    /// Compiling it takes more memory than there may be.
    #[error("compiling it takes more than {} MiB of memory", .0 >> 20)]
    Memory(u64),
    /// Compiling it takes too much processor time.
    #[error("compiling it takes more than {} seconds of processor time", CPU_LIMIT.as_secs())]
    CpuTime,
    /// Compiling it takes too long.
    #[error("compiling it takes longer than {} seconds", TIME_LIMIT.as_secs())]
    Time,
    /// The compiler was killed.
    #[error("the compiler was killed; the system may have run out of memory")]
    Killed,
    /// The compiler has a defect that this component brings out.
    #[error("the compiler failed on it; please report that, with the guest ({0})")]
    Crashed(String),
    /// Nobody waits for it any more.
    #[error("compiling it was given up")]
    Abandoned,
    /// The process cannot be started or talked to.
    #[error("cannot run the compiler: {0}")]
    System(#[from] io::Error),
}

/// Ends the compiler when it is dropped.
#[derive(Default)]
pub struct CompileGuard(Lifeline);

/// What keeps a compiler alive: the pipe to it, as long as that is open. Clones are the same.
#[derive(Clone, Default)]
pub struct Lifeline(Arc<Mutex<Hold>>);

#[derive(Default)]
enum Hold {
    /// There is no compiler yet.
    #[default]
    Waiting,
    /// It lives while this is kept.
    Alive { _stdin: ChildStdin },
    /// It is to end, or not to begin.
    Released,
}

impl CompileGuard {
    /// What to give to the compiler.
    pub fn lifeline(&self) -> Lifeline {
        self.0.clone()
    }
}

impl Drop for CompileGuard {
    fn drop(&mut self) {
        self.0.set(Hold::Released);
    }
}

impl Lifeline {
    fn set(&self, hold: Hold) {
        // The one before is dropped, and its pipe closed, without the lock.
        let _before = {
            let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(*current, Hold::Released) { hold } else { std::mem::replace(&mut *current, hold) }
        };
    }

    fn is_released(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), Hold::Released)
    }
}

/// Compile a component for this sandbox. Blocks until that is done, which takes a tenth of a second for the built-in
/// guest; or soon after the guard of `lifeline` is dropped. Returns the artifact.
pub(super) fn compile(
    component: &[u8],
    key: &ArtifactKey,
    sandbox: &Sandbox,
    priority: Priority,
    lifeline: &Lifeline,
) -> Result<Vec<u8>, CompileError> {
    if lifeline.is_released() {
        return Err(CompileError::Abandoned);
    }
    let memory = memory_limit();
    let mut artifact = File::from(memfd_create("guest", MemfdFlags::CLOEXEC).map_err(io::Error::from)?);
    // This very program, even if its file was replaced since it was started (proc_pid_exe(5)).
    let mut command = Command::new("/proc/self/exe");
    command.args(["compile", "--key", &key.to_string()]);
    command.args(["--length", &component.len().to_string()]);
    command.args(["--guest-memory", &sandbox.memory_bytes().to_string()]);
    command.args(["--memory-limit", &memory.to_string()]);
    if priority == Priority::Background {
        command.arg("--background");
    }
    command.stdin(Stdio::piped()).stdout(artifact.try_clone()?).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // Fails if it has died already; its status says why.
        if stdin.write_all(component).is_ok() {
            lifeline.set(Hold::Alive { _stdin: stdin });
        }
    }
    let mut message = Vec::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.by_ref().take(MESSAGE_LIMIT).read_to_end(&mut message)?;
        io::copy(&mut stderr, &mut io::sink())?;
    }
    let status = child.wait()?;
    let message = String::from_utf8_lossy(&message).split_whitespace().collect::<Vec<_>>().join(" ");
    outcome(status, message, memory)?;
    let mut bytes = Vec::with_capacity(usize::try_from(artifact.metadata()?.len()).unwrap_or_default());
    artifact.rewind()?;
    artifact.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What it means that the compiler ended in this way, having said this.
fn outcome(status: ExitStatus, message: String, memory: u64) -> Result<(), CompileError> {
    let is_signal = |signal: Signal| status.signal() == Some(signal.as_raw());
    // What the allocator says before it aborts, and what mmap(2) is refused with.
    let lacks_memory = message.contains("memory allocation of") || message.contains("Cannot allocate memory");
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(0) => Ok(()),
        _ if lacks_memory => Err(CompileError::Memory(memory)),
        Some(process::INVALID) => Err(CompileError::Invalid(message)),
        Some(process::TIMED_OUT) => Err(CompileError::Time),
        Some(process::ABANDONED) => Err(CompileError::Abandoned),
        _ if is_signal(Signal::XCPU) => Err(CompileError::CpuTime),
        _ if is_signal(Signal::KILL) => Err(CompileError::Killed),
        _ => Err(CompileError::Crashed(format!("{status}: {message}"))),
    }
}

/// How much memory compiling may take now, in bytes.
fn memory_limit() -> u64 {
    let available = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    available.map_or(MEMORY_MOST, |kib| (kib << 10) / 4 * 3).clamp(MEMORY_LEAST, MEMORY_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_the_compiler_has_a_reason() {
        let code = |code: u8| ExitStatus::from_raw(i32::from(code) << 8);
        let signal = |signal: Signal| ExitStatus::from_raw(signal.as_raw());
        let said = |status, message: &str| outcome(status, message.to_owned(), 1 << 30).unwrap_err().to_string();
        assert!(outcome(code(0), String::new(), 0).is_ok());
        assert_eq!(said(code(process::INVALID), "unknown type"), "unknown type");
        let memory = "compiling it takes more than 1024 MiB of memory";
        assert_eq!(said(signal(Signal::ABORT), "memory allocation of 4096 bytes failed"), memory);
        assert_eq!(said(code(process::INVALID), "Cannot allocate memory (os error 12)"), memory);
        assert_eq!(said(signal(Signal::XCPU), ""), "compiling it takes more than 300 seconds of processor time");
        assert_eq!(said(code(process::TIMED_OUT), ""), "compiling it takes longer than 600 seconds");
        assert!(said(signal(Signal::KILL), "").contains("out of memory"));
        assert!(said(signal(Signal::SEGV), "").contains("please report that"));
        assert!(said(code(101), "panicked at x.rs: y").contains("panicked at x.rs: y"));
    }
}
