//! What guests print goes to the log, a line at a time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tracing::info;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// The longest line that is kept together; what is longer is cut into several. Bounds what a guest that
/// never ends its line can make the host hold.
const LINE_LIMIT: usize = 1024;

/// A guest's standard output and error.
pub(super) struct GuestLog;

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines { line: Vec::new() })
    }
}

/// A stream that logs what is written to it.
struct Lines {
    /// What has come since the last end of a line.
    line: Vec<u8>,
}

impl Lines {
    fn end_line(&mut self) {
        if !self.line.is_empty() {
            // What a guest says can't forge lines of the log, nor colour the terminal.
            let line = String::from_utf8_lossy(&self.line);
            let line: String = line.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
            info!("the guest says: {}", line.trim_end());
            self.line.clear();
        }
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
