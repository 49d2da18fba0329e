//! `hotshoe supervise`: runs the program of a camera, and ends it with the camera. Hidden, because only the server runs
//! it.
//!
//! A process of its own, because it must act when the server was killed. Standard input is a socket to the server. When
//! the server closes it, or dies, this process ends the program and all its descendants: with SIGTERM, and with SIGKILL
//! after a grace time. As a "subreaper", it becomes the parent of descendants that detach themselves, so that none is
//! missed (PR_SET_CHILD_SUBREAPER(2const)).
//!
//! When the program ends by itself, this process reports that to the server and then ends what the program has left
//! behind. Should this process be killed, the kernel kills the program (PR_SET_PDEATHSIG(2const)).

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, getppid, kill_process, kill_process_group, set_child_subreaper,
    set_parent_process_death_signal, wait,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::camera::piped::ProgramEnd;
use crate::config::cli::SuperviseArgs;

/// How long the program may take to end after SIGTERM: long enough to close a device, short enough for a camera that is
/// opened again.
const GRACE_TIME: Duration = Duration::from_secs(2);

/// How long to wait for the end of killed processes. A process that waits for a broken device may never end.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);

/// How often to look for new descendants while they are killed.
const KILL_INTERVAL: Duration = Duration::from_millis(20);

/// The exit code of shells for a program that cannot be run.
const CANNOT_RUN: u8 = 126;

/// Supervises the program until it has ended.
pub fn run(args: &SuperviseArgs) -> ExitCode {
    let done = match args.become_child_of {
        Some(parent) => become_program(args, parent),
        None => supervise(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The server shows the last line. If this fails, the server is gone.
            let _ = writeln!(io::stderr(), "cannot run {}: {error}", args.file.display());
            ExitCode::from(CANNOT_RUN)
        }
    }
}

/// Replaces this process by the program. The kernel kills it when `parent` ends.
fn become_program(args: &SuperviseArgs, parent: i32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have ended before.
    if getppid().is_none_or(|actual| actual.as_raw_nonzero().get() != parent) {
        return Ok(());
    }
    let Some((name, arguments)) = args.command.split_first() else { return Ok(()) };
    Err(Command::new(&args.file).arg0(name).args(arguments).exec())
}

fn supervise(args: &SuperviseArgs) -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    let lifeline = StdUnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    lifeline.set_nonblocking(true)?;
    // Everything happens on this thread, because the death of the thread that created a process counts as that of the
    // parent.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::catch()?;
        let mut lifeline = UnixStream::from_std(lifeline)?;
        let program = start(args)?;
        if let Some(end) = wait_for_end(program, &mut lifeline, &mut signals).await? {
            // If this fails, the server is gone.
            let _ = lifeline.try_write(end.to_line().as_bytes());
        }
        end_all(program, &mut signals).await
    })
}

/// Starts the program as the leader of its own process group.
fn start(args: &SuperviseArgs) -> io::Result<Pid> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["supervise", "--become-child-of", &getpid().to_string(), "--"]).arg(&args.file).args(&args.command);
    let child = command.process_group(0).stdin(Stdio::null()).spawn()?;
    Ok(Pid::from_child(&child))
}

struct Signals {
    children: SignalStream,
    terminate: SignalStream,
    interrupt: SignalStream,
    /// Not received: the server gets this signal to reload its guest, and `pidof` finds this process too.
    _hangup: SignalStream,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        Ok(Self {
            children: signal(SignalKind::child())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// Waits until the program ends, and returns how, or until it must end.
async fn wait_for_end(
    program: Pid,
    lifeline: &mut UnixStream,
    signals: &mut Signals,
) -> io::Result<Option<ProgramEnd>> {
    loop {
        tokio::select! {
            _ = signals.children.recv() => {
                if let Reaped { program_end: Some(end), .. } = reap(program)? {
                    return Ok(Some(end));
                }
            }
            // The server sends nothing, so this is the end.
            _ = lifeline.read_u8() => return Ok(None),
            _ = signals.terminate.recv() => return Ok(None),
            _ = signals.interrupt.recv() => return Ok(None),
        }
    }
}

/// Ends the program and all its descendants.
async fn end_all(program: Pid, signals: &mut Signals) -> io::Result<()> {
    if !reap(program)?.has_children {
        return Ok(());
    }
    send(program, Signal::TERM);
    let grace_end = Instant::now() + GRACE_TIME;
    loop {
        tokio::select! {
            _ = signals.children.recv() => {}
            () = sleep_until(grace_end) => break,
        }
        if !reap(program)?.has_children {
            return Ok(());
        }
    }
    let deadline = Instant::now() + KILL_TIMEOUT;
    while Instant::now() < deadline {
        send(program, Signal::KILL);
        sleep_until(Instant::now() + KILL_INTERVAL).await;
        if !reap(program)?.has_children {
            return Ok(());
        }
    }
    Ok(())
}

/// Sends a signal to the process group of the program, and to all children of this process, among them those that left
/// that group. Grandchildren follow once their parents have ended.
fn send(program: Pid, signal: Signal) {
    // The group may have ended. It cannot belong to other processes: numbers of groups are reused only when the program
    // and its group have ended, and then all children left are others.
    let _ = kill_process_group(program, signal);
    let pid = getpid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    for child in children.split_whitespace().filter_map(|child| child.parse().ok()).filter_map(Pid::from_raw) {
        let _ = kill_process(child, signal);
    }
}

/// What [`reap`] found.
struct Reaped {
    /// How the program ended, if it was among the ended children.
    program_end: Option<ProgramEnd>,
    /// Whether children are left.
    has_children: bool,
}

/// Collects the ended children of this process.
fn reap(program: Pid) -> io::Result<Reaped> {
    let mut program_end = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == program => {
                let exited = status.exit_status().map(ProgramEnd::Exited);
                program_end = exited.or(status.terminating_signal().map(ProgramEnd::Killed)).or(program_end);
            }
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Ok(Reaped { program_end, has_children: true }),
            Err(Errno::CHILD) => return Ok(Reaped { program_end, has_children: false }),
            Err(error) => return Err(error.into()),
        }
    }
}
