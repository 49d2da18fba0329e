//! Other programs, which get a time to finish.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// What a program wrote, and how it ended.
#[derive(Debug)]
pub struct Ended {
    /// `None` if it ran until its time was over, and was killed.
    pub status: Option<ExitStatus>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: String,
}

impl Ended {
    /// Expects success.
    ///
    /// # Errors
    ///
    /// If the program failed or was killed, with the last line of what it said.
    pub fn succeeded(self, name: &str) -> Result<Self, String> {
        match self.status {
            Some(status) if status.success() => Ok(self),
            Some(status) => Err(format!("{name} ends with {status}: {}", last_line(&self.stderr))),
            None => Err(format!("{name} did not end in time: {}", last_line(&self.stderr))),
        }
    }
}

/// Runs a program for at most that time. Then it is killed with all that it started.
///
/// # Errors
///
/// If it cannot be started.
pub fn run(command: &mut Command, within: Duration) -> Result<Ended, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
    let (stdout, stderr) = (child.stdout.take().map(collect), child.stderr.take().map(collect));
    let until = Instant::now() + within;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                // What it left behind would keep its pipes open.
                kill_group(&mut child);
                break Some(status);
            }
            Ok(None) if Instant::now() < until => sleep(Duration::from_millis(10)),
            _ => {
                kill_group(&mut child);
                break None;
            }
        }
    };
    let read = |thread: Option<JoinHandle<Vec<u8>>>| thread.and_then(|it| it.join().ok()).unwrap_or_default();
    Ok(Ended { status, stdout: read(stdout), stderr: String::from_utf8_lossy(&read(stderr)).into_owned() })
}

/// A pipe that nobody reads would stop the program.
fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    spawn(move || {
        let mut all = Vec::new();
        // A pipe that breaks ends what there is to read.
        let _ = pipe.read_to_end(&mut all);
        all
    })
}

/// Kills a child that leads a process group, and all of the group.
pub(crate) fn kill_group(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Whether a program of that name can be found.
#[must_use]
pub fn exists(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// The Python that runs the clients written in it: `$HOTSHOE_PYTHON`, or `python3`.
#[must_use]
pub fn python() -> String {
    std::env::var("HOTSHOE_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// The last line that says something.
pub(crate) fn last_line(text: &str) -> &str {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing")
}
