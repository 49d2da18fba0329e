//! The write half of a connection, and what it writes to.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A nonblocking destination of bytes: a TCP or Unix socket, or a TLS session on one.
pub trait Sink: Send + Sync {
    /// Writes as many bytes as the sink accepts now. Fails with [`WouldBlock`](io::ErrorKind::WouldBlock) if it accepts
    /// none. One call for a socket is one `writev`.
    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Whether the sink sends files without copying them. The default is for sinks that do not.
    fn sends_files(&self) -> bool {
        false
    }

    /// Sends `length` bytes of a file from `offset` on, as many as the sink accepts now, like
    /// [`try_write_vectored`](Self::try_write_vectored). The file must not change afterwards: the sink may send its
    /// pages and not a copy. The default fails.
    fn try_send_file(&self, file: BorrowedFd<'_>, offset: usize, length: usize) -> io::Result<usize> {
        let _ = (file, offset, length);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sends bytes that were accepted but are still buffered. Fails with [`WouldBlock`](io::ErrorKind::WouldBlock) if
    /// some remain. The default is for sinks that do not buffer, such as sockets.
    fn try_flush(&self) -> io::Result<()> {
        Ok(())
    }

    /// Waits until the sink accepts bytes. Wakes only the task of the last call.
    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Tells the peer that no more bytes follow.
    fn shut_down(&self) -> io::Result<()>;
}

/// The exclusive right to write to a sink. It cannot be cloned, so only its holder can write.
///
/// The sink is a trait object, so that connections of all kinds can be lent to the same task. The indirect call costs
/// about a nanosecond, beside a system call of microseconds.
pub struct WriteHalf(Arc<dyn Sink>);

impl WriteHalf {
    /// Creates the write half of a sink. Call it once for each sink.
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        Self(sink)
    }

    /// Writes as many bytes as the sink accepts now. See [`Sink::try_write_vectored`].
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    /// Whether the sink sends files without copying them.
    pub fn sends_files(&self) -> bool {
        self.0.sends_files()
    }

    /// Sends bytes of a file. See [`Sink::try_send_file`].
    pub fn try_send_file(&self, file: BorrowedFd<'_>, offset: usize, length: usize) -> io::Result<usize> {
        self.0.try_send_file(file, offset, length)
    }

    /// Sends buffered bytes. See [`Sink::try_flush`].
    pub fn try_flush(&self) -> io::Result<()> {
        self.0.try_flush()
    }

    /// Waits until the sink accepts bytes. See [`Sink::poll_write_ready`].
    pub fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_write_ready(context)
    }

    /// Waits until the sink accepts bytes, and writes as many as it accepts.
    pub fn poll_write_vectored(&self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.poll_io(context, || self.0.try_write_vectored(slices))
    }

    /// Waits until all buffered bytes are sent.
    pub fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_io(context, || self.0.try_flush())
    }

    /// Tells the peer that no more bytes follow.
    pub fn shut_down(&self) -> io::Result<()> {
        self.0.shut_down()
    }

    fn poll_io<T>(&self, context: &mut Context<'_>, mut io: impl FnMut() -> io::Result<T>) -> Poll<io::Result<T>> {
        loop {
            match io() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.poll_write_ready(context))?,
                result => return Poll::Ready(result),
            }
        }
    }
}
