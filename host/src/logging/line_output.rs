//! Lines on standard output, apart from the log.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tracing::warn;

use super::queue::LogQueue;

/// How long to wait at the end until the last lines are written.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// Lines on standard output. Writing one never blocks: if the reader is too slow, lines are dropped,
/// and the log says how many.
pub struct LineOutput {
    queue: Arc<LogQueue>,
}

impl LineOutput {
    /// Starts a thread that writes lines to standard output. `name` is what they are, for the log.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses a thread, or a descriptor for standard output.
    pub fn stdout(name: &'static str) -> io::Result<Self> {
        let mut stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let queue = Arc::<LogQueue>::default();
        let lines = queue.clone();
        let write = move || {
            loop {
                let batch = lines.take(None);
                // There is nowhere to write to if the reader is gone.
                let _ = stdout.write_all(batch.text.as_bytes());
                lines.batch_written();
                if batch.dropped > 0 {
                    warn!(
                        "{} lines of the {name} were dropped: standard output was not read fast enough",
                        batch.dropped
                    );
                }
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(write)?;
        Ok(Self { queue })
    }

    /// Writes a line, which includes its newline.
    pub fn write(&self, line: String) {
        self.queue.push(line);
    }
}

impl Drop for LineOutput {
    fn drop(&mut self) {
        self.queue.flush(FLUSH_TIMEOUT);
    }
}
