//! The two Tokio runtimes: one for streams, and one with lower priority for requests.
//!
//! A frame has a deadline. A request can wait for longer than a person notices. Each runtime has one worker per
//! processor, and the kernel schedules them: a worker with a frame to send preempts one that computes a response. In a
//! single runtime, a hundred downloads would share the workers equally with the streams.
//!
//! * *Streams*: camera supervisors, channel publishers, fan-out, and signals. A push wakes only threads of the same
//!   runtime, which costs no system calls.
//! * *Requests*: accepting connections, HTTP, the guest instances that answer requests, workers, the admin listener,
//!   and loading guests.
//!
//! Locks shared by both guard only copies, pointer swaps, and what one connection encrypts, decrypts or sends, so a
//! preempted request does not delay frames noticeably. Replacements and reloads wait for each other with asynchronous
//! locks, which block no thread of either.

use std::io;

use rustix::process::{getpid, getpriority_process, setpriority_process};
use tokio::runtime::{Builder, Handle, Runtime};
use tracing::debug;

/// Added to the nice value of the threads that serve requests. Under full load, a thread with a nice value 10 higher
/// gets about a tenth of the processor time (sched(7)), so requests still make progress.
const REQUEST_NICENESS: i32 = 10;

/// The server's runtimes.
pub struct Runtimes {
    streams: Runtime,
    requests: Runtime,
}

impl Runtimes {
    /// Starts both runtimes.
    pub fn start() -> io::Result<Self> {
        let streams = Builder::new_multi_thread().enable_all().thread_name("streams").build()?;
        let requests =
            Builder::new_multi_thread().enable_all().thread_name("requests").on_thread_start(lower_priority).build()?;
        Ok(Self { streams, requests })
    }

    /// The runtime for capturing, publishing and fan-out.
    pub fn streams(&self) -> &Handle {
        self.streams.handle()
    }

    /// The runtime for everything that a request computes.
    pub fn requests(&self) -> &Handle {
        self.requests.handle()
    }

    /// Stops both runtimes without waiting for blocking tasks, because a file system or device that does not respond
    /// can block one forever.
    pub fn shutdown_background(self) {
        self.requests.shutdown_background();
        self.streams.shutdown_background();
    }
}

/// Gives the calling thread the priority of those that serve requests. Threads that it starts inherit it.
pub fn lower_priority() {
    // On Linux, these affect one thread (setpriority(2), "C library/kernel differences"): the main thread, whose
    // priority is never lowered, and the calling one. Relative to its own, a thread of the pool would be lowered twice:
    // it has already inherited the priority of the thread that started it.
    let lowered = getpriority_process(Some(getpid()))
        .and_then(|normal| setpriority_process(None, normal.saturating_add(REQUEST_NICENESS)));
    if let Err(error) = lowered {
        debug!("cannot lower the priority of a thread: {error}");
    }
}
