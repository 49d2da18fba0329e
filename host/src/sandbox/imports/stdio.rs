//! Standard output and standard error of components, which go to the log line by line: standard output at level INFO,
//! standard error at WARN. This module limits the length of lines; the log limits their number ([`crate::logging`]).

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tracing::Level;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::camera::text::affects_display;
use crate::sandbox::author::Author;

/// The most bytes that are processed at once. The guest is interrupted only in between.
pub(super) const MAX_WRITE_BYTES: usize = 64 << 10;

/// The maximum length of a line, in bytes. Longer lines are split, so that a guest that never ends its line does not
/// fill the memory of the host.
pub(super) const MAX_LINE_BYTES: usize = 1024;

/// An output of an instance.
#[derive(Clone, Copy)]
pub(in crate::sandbox) enum Output {
    Stdout,
    Stderr,
}

/// Standard output or standard error of an instance.
pub(in crate::sandbox) struct GuestLog {
    pub(in crate::sandbox) output: Output,
    pub(in crate::sandbox) author: Author,
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl GuestLog {
    fn logger(&self) -> LineLogger {
        LineLogger { output: self.output, author: self.author.clone(), line: Vec::new() }
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.logger())
    }

    /// The default passes the bytes to a task and waits for it. Then a guest that is drained while it logs a line seems
    /// to wait, and its stream would end in the middle of a part.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.logger())
    }
}

/// A stream that logs the lines written to it.
struct LineLogger {
    output: Output,
    author: Author,
    /// The current line, without its end.
    line: Vec<u8>,
}

impl LineLogger {
    /// Logs all lines that are complete with these bytes.
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' || self.line.len() >= MAX_LINE_BYTES {
                self.end_line();
            }
            if *byte != b'\n' {
                self.line.push(*byte);
            }
        }
    }

    fn end_line(&mut self) {
        if !self.line.is_empty() {
            let line = Printable(&self.line);
            match self.output {
                Output::Stdout => self.author.log(Level::INFO, format_args!("stdout: {line}")),
                Output::Stderr => self.author.log(Level::WARN, format_args!("stderr: {line}")),
            }
            self.line.clear();
        }
    }
}

/// Displays a line without control characters and those that change the direction of text, so that a component cannot
/// forge lines of the log or control the terminal.
pub(in crate::sandbox) struct Printable<'a>(pub(in crate::sandbox) &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = String::from_utf8_lossy(self.0);
        let line: String = line.chars().map(|char| if affects_display(char) { ' ' } else { char }).collect();
        formatter.write_str(line.trim_end())
    }
}

/// For WASI 0.2.
#[async_trait]
impl Pollable for LineLogger {
    async fn ready(&mut self) {}
}

impl OutputStream for LineLogger {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        // wasmtime leaves it to the stream to refuse more bytes than `check-write` has permitted.
        if bytes.len() > MAX_WRITE_BYTES {
            return Err(StreamError::trap("more bytes were written than check-write permits"));
        }
        self.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE_BYTES)
    }
}

/// For WASI 0.3.
impl AsyncWrite for LineLogger {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // A guest can pass all of its memory at once.
        let bytes = bytes.get(..MAX_WRITE_BYTES).unwrap_or(bytes);
        self.add(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for LineLogger {
    fn drop(&mut self) {
        self.end_line();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_more_than_permitted_traps() {
        let mut stream = GuestLog { output: Output::Stdout, author: Author::Guest(1) }.p2_stream();
        let permitted = stream.check_write().unwrap();
        assert!(stream.write(vec![b'\n'; permitted].into()).is_ok());
        assert!(matches!(stream.write(vec![b'\n'; permitted + 1].into()), Err(StreamError::Trap(_))));
    }
}
