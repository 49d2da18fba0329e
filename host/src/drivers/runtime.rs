//! The Tokio runtime of a camera with a driver. It outlasts openings, because a file system that hangs keeps its thread:
//! otherwise, each opening would leave another one.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::camera::{Outage, OutageCause};

/// How many threads there are for calls that block, such as reading files. With one, it is easy to tell whether it is
/// stuck. The instances of a camera read the same files, and seldom run at the same time.
const BLOCKING_THREADS: usize = 1;

/// How long an opening waits for that thread. A file system answers in milliseconds.
const THREAD_TIMEOUT: Duration = Duration::from_secs(2);

/// The runtime of a camera. It starts when the camera is first opened.
#[derive(Default)]
pub(super) struct DriverRuntime {
    runtime: OnceLock<Running>,
    /// Ends when the thread for calls that block has nothing else to do.
    idle: Mutex<Option<JoinHandle<()>>>,
}

/// Does not wait for blocked threads when it is dropped. `None` only then.
struct Running(Option<Runtime>);

impl DriverRuntime {
    /// The runtime. `None` until [`start`](Self::start) was called.
    pub(super) fn get(&self) -> Option<&Runtime> {
        self.runtime.get()?.0.as_ref()
    }

    /// Starts the runtime, unless that has happened. Blocks until its thread for calls that block is free, and fails if
    /// that takes longer than two seconds. Must not be called inside a Tokio runtime.
    pub(super) fn start(&self) -> Result<(), Outage> {
        if self.runtime.get().is_none() {
            let built = Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(BLOCKING_THREADS)
                .thread_name("driver-files")
                .build();
            let failed = |error| outage(OutageCause::Failed, format!("cannot start the driver: {error}"));
            // Fails if another opening was faster, which does as well.
            let _ = self.runtime.set(Running(Some(built.map_err(failed)?)));
        }
        let Some(runtime) = self.get() else { return Ok(()) };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has not ended is waited for again, since each takes a place in the queue of the thread.
        let waiting = idle.get_or_insert_with(|| runtime.spawn_blocking(|| ()));
        if runtime.block_on(async { timeout(THREAD_TIMEOUT, waiting).await }).is_err() {
            let message = "the file system of dir= does not respond; the driver is started when it does";
            return Err(outage(OutageCause::Stalled, message.to_owned()));
        }
        *idle = None;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn outage(cause: OutageCause, message: String) -> Outage {
    Outage { cause, message: message.into() }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_hangs_keeps_the_driver_from_starting_until_it_continues_and_is_the_only_one() {
        let runtime = DriverRuntime::default();
        runtime.start().unwrap();
        let (end, ended) = mpsc::channel::<()>();
        let hanging = runtime.get().unwrap().spawn_blocking(move || ended.recv().is_err());
        for _ in 0..2 {
            let outage = runtime.start().unwrap_err();
            assert_eq!(outage.cause, OutageCause::Stalled);
            assert!(outage.message.contains("does not respond"), "{}", outage.message);
        }
        drop(end);
        assert!(runtime.get().unwrap().block_on(hanging).unwrap());
        runtime.start().unwrap();
    }
}
