//! The threads that decode and encode.

use std::num::NonZero;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::available_parallelism;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::PixelsError;
use crate::camera::pixels::Decoder;

/// Runs work in threads of a runtime's pool, on all processors but one, so that a flood of pictures leaves one to
/// everything else. Work waits in order of arrival.
pub(super) struct Workers {
    /// Empty until the server has started it.
    runtime: OnceLock<Handle>,
    /// One permit for each thread that may work at the same time.
    idle: Arc<Semaphore>,
    /// Decoders that are not in use. They keep Huffman tables.
    decoders: Mutex<Vec<Decoder>>,
}

/// The right to work in a thread.
pub(super) struct Turn(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit);

impl Default for Workers {
    fn default() -> Self {
        let threads = available_parallelism().map_or(1, NonZero::get).saturating_sub(1).max(1);
        Self { runtime: OnceLock::new(), idle: Arc::new(Semaphore::new(threads)), decoders: Mutex::default() }
    }
}

impl Workers {
    /// Sets the runtime.
    pub(super) fn run_on(&self, runtime: Handle) {
        // It is set once, by the server.
        let _ = self.runtime.set(runtime);
    }

    /// Waits until a thread may work.
    pub(super) async fn turn(&self) -> Result<Turn, PixelsError> {
        let permit = self.idle.clone().acquire_owned().await.map_err(|_| PixelsError::Failed)?;
        Ok(Turn(permit))
    }

    /// Runs `work` in a thread and returns its result. If the future is dropped, the thread finishes its work.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        turn: Turn,
        work: impl FnOnce(&mut Decoder) -> T + Send + 'static,
    ) -> Result<T, PixelsError> {
        let runtime = self.runtime.get().ok_or(PixelsError::Failed)?;
        let workers = self.clone();
        let running = runtime.spawn_blocking(move || {
            let _turn = turn;
            let mut decoder = workers.decoders().pop().unwrap_or_default();
            let output = work(&mut decoder);
            workers.decoders().push(decoder);
            output
        });
        // Fails if the thread panics, which the panic hook reports.
        running.await.map_err(|_| PixelsError::Failed)
    }

    /// Ignores poisoning: no critical section can leave the list inconsistent.
    fn decoders(&self) -> std::sync::MutexGuard<'_, Vec<Decoder>> {
        self.decoders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
