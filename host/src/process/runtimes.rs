//! The two Tokio runtimes: one for streams, and one of lower priority for requests.
//!
//! A frame has a deadline, a request has none that a person would notice. Each runtime has as many workers as there are
//! processors, and the kernel decides who runs: a worker that has a frame to send preempts one that computes an answer.
//! Within a single runtime, a hundred downloads would share the workers equally with the streams.
//!
//! * *Streams*: the cameras' supervisors, the channels' publishers and fan-out, signals. A push wakes all of those on
//!   threads of the same runtime, which costs no system calls.
//! * *Requests*: accepting, connections, the guest's instances that answer requests, the admin listener, loading guests.
//!
//! Locks that both take are held for an exchange of references only, so a preempted request delays no frame noticeably.

use std::io;

use rustix::process::nice;
use tokio::runtime::{Builder, Handle, Runtime};
use tracing::debug;

/// By how much the nice value of a request's thread is above the process's own. Under full load, a thread that is 10
/// nicer gets about a tenth of the processor time of one that is not (sched(7)): enough that requests go on.
const REQUEST_NICENESS: i32 = 10;

/// The runtimes of the server.
pub struct Runtimes {
    streams: Runtime,
    requests: Runtime,
}

impl Runtimes {
    /// Start both.
    pub fn start() -> io::Result<Self> {
        let streams = Builder::new_multi_thread().enable_all().thread_name("streams").build()?;
        let requests = Builder::new_multi_thread()
            .enable_all()
            .thread_name("requests")
            .on_thread_start(|| {
                // Linux applies this to the calling thread alone (setpriority(2), "C library/kernel differences").
                if let Err(error) = nice(REQUEST_NICENESS) {
                    debug!("cannot lower the priority of a thread that serves requests: {error}");
                }
            })
            .build()?;
        Ok(Self { streams, requests })
    }

    /// The runtime of capture, publishing and fan-out.
    pub fn streams(&self) -> &Handle {
        self.streams.handle()
    }

    /// The runtime of everything that a request computes.
    pub fn requests(&self) -> &Handle {
        self.requests.handle()
    }

    /// Stop both without waiting for blocking operations: a file system or a device that does not answer may hold one
    /// for ever.
    pub fn shutdown_background(self) {
        self.requests.shutdown_background();
        self.streams.shutdown_background();
    }
}
