//! Running other programs with a time limit.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// The result of running a program.
#[derive(Debug)]
pub struct Output {
    /// The exit status. `None` if the program was killed at the time limit.
    pub status: Option<ExitStatus>,
    /// The program's standard output.
    pub stdout: Vec<u8>,
    /// The program's standard error.
    pub stderr: String,
}

impl Output {
    /// Returns the output if the program succeeded.
    ///
    /// # Errors
    ///
    /// If the program failed or was killed, with the last line of its standard error.
    pub fn require_success(self, name: &str) -> Result<Self, String> {
        match self.status {
            Some(status) if status.success() => Ok(self),
            Some(status) => Err(format!("{name} failed with {status}: {}", last_line(&self.stderr))),
            None => Err(format!("{name} did not exit in time: {}", last_line(&self.stderr))),
        }
    }
}

/// Runs a program and waits until it exits. At the time limit, kills it and the programs it has started.
///
/// # Errors
///
/// If the program cannot be started.
pub fn run(command: &mut Command, time_limit: Duration) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
    let (stdout, stderr) = (child.stdout.take().map(read_in_thread), child.stderr.take().map(read_in_thread));
    let deadline = Instant::now() + time_limit;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                // Descendants that are still running would keep the pipes open.
                kill_group(&mut child);
                break Some(status);
            }
            Ok(None) if Instant::now() < deadline => sleep(Duration::from_millis(10)),
            _ => {
                kill_group(&mut child);
                break None;
            }
        }
    };
    let join = |thread: Option<JoinHandle<Vec<u8>>>| thread.and_then(|it| it.join().ok()).unwrap_or_default();
    Ok(Output { status, stdout: join(stdout), stderr: String::from_utf8_lossy(&join(stderr)).into_owned() })
}

/// Reads a pipe to its end. A full pipe would block the program.
fn read_in_thread(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    spawn(move || {
        let mut all = Vec::new();
        // An error ends the output like the end of the pipe.
        let _ = pipe.read_to_end(&mut all);
        all
    })
}

/// Kills a child that leads a process group, and the rest of the group.
pub(crate) fn kill_group(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // Fails if the group has exited already.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Whether `$PATH` has a program with this name.
#[must_use]
pub fn exists(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// The Python interpreter for clients written in Python: `$HOTSHOE_PYTHON`, or `python3`.
#[must_use]
pub fn python() -> String {
    std::env::var("HOTSHOE_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// Returns the last line that is not blank.
pub(crate) fn last_line(text: &str) -> &str {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no output")
}
