//! A running program, whose standard output is read.

use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tracing::debug;

use super::command_line::CommandLine;
use super::error::InputError;
use super::image_stream::ImageStream;
use super::messages::Messages;
use super::orphans::Descendants;
use super::supervision::{ProgramEnd, SupervisorCommand};
use crate::error::SourceError;
use crate::image_input::InputState;
use crate::source::{Capture, CaptureOutcome};
use crate::stream_mode::StreamMode;

/// How much of standard error is read at once: the capacity of a pipe (pipe(7)).
const MESSAGES_SIZE: usize = 64 << 10;

/// The longest report accepted, in bytes.
const MAX_REPORT: usize = 64;

/// How often the outputs are drained at most after the program has ended. Its pipes hold less; more is written by
/// processes that the program has left behind.
const MAX_DRAINS: u32 = 64;

/// How long the supervisor may take to end the program. It gives the program two
/// seconds, and one more to those that it kills.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Variables with which systemd gives the server, and no other process, what it needs (systemd.exec(5), sd_notify(3),
/// sd_listen_fds(3)).
const REMOVED_VARIABLES: [&str; 7] = [
    "CREDENTIALS_DIRECTORY",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// A running program. Dropping it ends the program and all its descendants, and waits until they have ended, for a
/// few seconds at most: the program must have closed its device before it is started again.
pub(super) struct RunningProgram {
    name: String,
    stream: ImageStream,
    stderr: ChildStderr,
    messages: Messages,
    /// The supervisor ends the program when this is closed. `None` after its report.
    lifeline: Option<UnixStream>,
    /// How the program ended.
    end: Option<ProgramEnd>,
    supervisor: Child,
    descendants: Descendants,
}

impl RunningProgram {
    /// Starts `command`, whose program is the file `path`.
    pub(super) fn start(
        command: &CommandLine,
        path: &Path,
        supervisor: &SupervisorCommand,
        state: &InputState,
    ) -> Result<Self, InputError> {
        let descendants = Descendants::new();
        let start = || {
            let (lifeline, other_end) = UnixStream::pair()?;
            let mut process = Command::new(&supervisor.program);
            process.args(&supervisor.arguments).arg(path).arg(&command.program).args(&command.arguments);
            for variable in REMOVED_VARIABLES {
                process.env_remove(variable);
            }
            let (variable, value) = descendants.variable();
            process.env(variable, value);
            // Its own process group, so that Ctrl-C in a terminal reaches only the server.
            process.process_group(0);
            process.stdin(OwnedFd::from(other_end)).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut supervisor = process.spawn()?;
            let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
            let stdout = supervisor.stdout.take().ok_or_else(missing)?;
            let stderr = supervisor.stderr.take().ok_or_else(missing)?;
            Ok((lifeline, stdout, stderr, supervisor))
        };
        let name = command.name().to_owned();
        let (lifeline, stdout, stderr, supervisor) =
            start().map_err(|source| InputError::Start { program: name.clone(), source })?;
        Ok(Self {
            stream: ImageStream::new(name.clone(), stdout.into(), state),
            messages: Messages::new(&name),
            name,
            stderr,
            lifeline: Some(lifeline),
            end: None,
            supervisor,
            descendants,
        })
    }

    fn read_messages(&mut self) {
        let mut buffer = vec![0; MESSAGES_SIZE];
        // An error means the same as the end: there are no more messages.
        let length = self.stderr.read(&mut buffer).unwrap_or_default();
        self.messages.push(buffer.get(..length).unwrap_or_default());
    }

    /// Reads the report of the supervisor, which is ready.
    fn read_report(&mut self) {
        let mut report = [0; MAX_REPORT];
        let length = self.lifeline.take().and_then(|mut lifeline| lifeline.read(&mut report).ok());
        let report = String::from_utf8_lossy(report.get(..length.unwrap_or_default()).unwrap_or_default());
        self.end = Some(report.parse().unwrap_or(ProgramEnd::Unknown));
    }

    /// Reads what the program wrote before it ended.
    fn drain(&mut self) -> Result<(), InputError> {
        let stderr = self.stderr.as_fd().try_clone_to_owned();
        for _ in 0..MAX_DRAINS {
            let others = [stderr.as_ref().map_or(self.stderr.as_fd(), |stderr| stderr.as_fd())];
            let [has_messages] = self.stream.fill(others, Instant::now())?;
            if !has_messages {
                return Ok(());
            }
            self.read_messages();
        }
        Ok(())
    }
}

impl Capture for RunningProgram {
    fn mode(&self) -> Option<StreamMode> {
        self.stream.mode()
    }

    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError> {
        while let Some(lifeline) = &self.lifeline {
            let [has_messages, has_report] = self.stream.fill([self.stderr.as_fd(), lifeline.as_fd()], deadline)?;
            if has_messages {
                self.read_messages();
            }
            if has_report {
                self.read_report();
                self.drain()?;
            }
            if (!has_messages && !has_report) || Instant::now() >= deadline {
                break;
            }
        }
        let outcome = self.stream.take_newest();
        if outcome.image.is_some() {
            return Ok(outcome);
        }
        if let Some(end) = self.end {
            let last_line = self.messages.last_line();
            return Err(InputError::ProgramEnded { program: self.name.clone(), end, last_line }.into());
        }
        let messages = &mut self.messages;
        self.stream.check_progress(|| messages.last_line())?;
        Ok(outcome)
    }
}

/// Waits until a process has ended. Returns `false` if it has not within `limit`.
fn has_ended_within(process: &Child, limit: Duration) -> bool {
    // Fails only if the system lacks resources. Then the caller waits without a limit.
    let Ok(descriptor) = pidfd_open(Pid::from_child(process), PidfdFlags::empty()) else { return true };
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&left)) {
            Ok(ready) => return ready > 0,
            Err(Errno::INTR) => {}
            Err(_) => return true,
        }
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        self.lifeline = None;
        if !has_ended_within(&self.supervisor, END_TIMEOUT) {
            // It is stopped, or the machine is extremely busy.
            let _ = self.supervisor.kill();
        }
        match self.supervisor.wait() {
            // It ends by itself, except if it is killed.
            Ok(status) if status.signal().is_some() => {
                self.descendants.kill();
                debug!("{} was ended, because its supervising process was killed", self.name);
            }
            Ok(_) => debug!("{} has ended", self.name),
            Err(error) => debug!("cannot wait for the end of {}: {error}", self.name),
        }
    }
}
