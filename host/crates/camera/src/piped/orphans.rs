//! Ends what a program leaves behind if the process that supervises it is killed.
//!
//! The kernel then ends the program itself, but not what that has started. Its descendants are recognised by a variable
//! in their environment, which they inherit wherever they are: in another process group, another session, or with
//! another parent.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The variable in the environment of a program and its descendants.
const VARIABLE: &str = "HOTSHOE_PROGRAM";

/// How long to look for processes that start while others are ended.
const TIMEOUT: Duration = Duration::from_secs(1);

/// How often to look.
const INTERVAL: Duration = Duration::from_millis(20);

/// What the descendants of one run of a program have in common.
#[derive(Debug)]
pub(super) struct Descendants {
    /// The value of the variable.
    run: String,
}

impl Descendants {
    /// Prepares for another run.
    pub(super) fn new() -> Self {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        Self { run: format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed)) }
    }

    /// The variable to set in the environment of the program.
    pub(super) fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.run)
    }

    /// Kills all descendants. Blocks until they have ended, for a second at most.
    pub(super) fn kill(&self) {
        let deadline = Instant::now() + TIMEOUT;
        while self.kill_once() && Instant::now() < deadline {
            sleep(INTERVAL);
        }
    }

    /// Kills the descendants that exist now. Returns whether there were any.
    fn kill_once(&self) -> bool {
        let entry = format!("{VARIABLE}={}", self.run);
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = processes.filter_map(|process| Pid::from_raw(process.file_name().to_str()?.parse().ok()?));
        let mut has_any = false;
        for pid in pids {
            // The descriptor is opened first, so it still refers to this process if the number is used again.
            let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
            // Empty for a process that has ended, and unreadable for those of other users.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            if environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes()) {
                has_any = true;
                // Fails if it has just ended.
                let _ = pidfd_send_signal(process, Signal::KILL);
            }
        }
        has_any
    }
}
