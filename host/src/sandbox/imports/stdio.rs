//! What guests print goes to the log, a line at a time. How many lines a second are written is bounded by the log
//! ([`crate::logging`]), their length here.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tracing::info;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use crate::logging::GUEST_TARGET;

/// The longest line that is kept together, in bytes; what is longer is cut into several. Bounds what a guest that
/// never ends its line can make the host hold.
const LINE_LIMIT: usize = 1024;

/// A guest's standard output or error.
pub(in crate::sandbox) struct GuestLog {
    /// Which of the two: `stdout` or `stderr`.
    pub(in crate::sandbox) name: &'static str,
    /// The number of the generation that the guest's instance belongs to.
    pub(in crate::sandbox) generation: u64,
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines { name: self.name, generation: self.generation, line: Vec::new() })
    }
}

/// A stream that logs what is written to it.
struct Lines {
    name: &'static str,
    generation: u64,
    /// What has come since the last end of a line.
    line: Vec<u8>,
}

impl Lines {
    fn end_line(&mut self) {
        if !self.line.is_empty() {
            let Self { name, generation, line } = &*self;
            info!(target: GUEST_TARGET, generation, "guest {name}: {}", Printable(line));
            self.line.clear();
        }
    }
}

/// A line without control characters: what a guest prints can't forge lines of the log, nor colour the terminal. Made
/// only if the line is logged.
struct Printable<'a>(&'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = String::from_utf8_lossy(self.0);
        let line: String = line.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        formatter.write_str(line.trim_end())
    }
}

impl AsyncWrite for Lines {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        for byte in bytes {
            if *byte == b'\n' || self.line.len() >= LINE_LIMIT {
                self.end_line();
            }
            if *byte != b'\n' {
                self.line.push(*byte);
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.end_line();
    }
}
