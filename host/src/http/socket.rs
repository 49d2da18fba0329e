//! A client's TCP or Unix socket, shared by its reader, its writer, and the code that monitors it.

use std::io::{self, IoSlice, Read as _};
use std::net::Shutdown;
use std::os::fd::BorrowedFd;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rustix::fs::sendfile;
use socket2::SockRef;
use tokio::io::{Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};

use super::send_queue::send_queue;

/// How many bytes of a refused request are read and discarded. Enough for nearly all heads.
const REFUSED_REQUEST: usize = 4096;

/// A connected socket.
pub struct Socket {
    stream: Stream,
    /// The number of bytes that the kernel has accepted.
    written: AtomicU64,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self { stream: Stream::Tcp(stream), written: AtomicU64::new(0) }
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self { stream: Stream::Unix(stream), written: AtomicU64::new(0) }
    }
}

impl Socket {
    /// Waits for bytes and reads them. Wakes only the task of the last call.
    pub fn poll_read(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_read_ready(context))?;
            // `try_read` would need an initialized slice. Zeroing all of hyper's buffer would make all of its pages
            // resident, and most of them are never used.
            let result = match &self.stream {
                Stream::Tcp(stream) => stream.try_read_buf(buffer),
                Stream::Unix(stream) => stream.try_read_buf(buffer),
            };
            match result {
                Ok(_) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Waits until there are bytes to read. Wakes only the task of the last call.
    pub fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.stream {
            Stream::Tcp(stream) => stream.poll_read_ready(context),
            Stream::Unix(stream) => stream.poll_read_ready(context),
        }
    }

    /// Reads the bytes that have arrived. Returns none at the end. Fails with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there are none now.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.stream {
            Stream::Tcp(stream) => stream.try_read(buffer),
            Stream::Unix(stream) => stream.try_read(buffer),
        }
    }

    /// Writes as many bytes as the kernel accepts now, with one `writev`.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = match &self.stream {
            Stream::Tcp(stream) => stream.try_write_vectored(slices),
            Stream::Unix(stream) => stream.try_write_vectored(slices),
        }?;
        self.written.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    /// Whether the kernel sends files through this socket without copying them. This was measured only for TCP.
    pub fn sends_files(&self) -> bool {
        matches!(self.stream, Stream::Tcp(_))
    }

    /// Sends `length` bytes of a file from `offset` on, as many as the kernel accepts now, with one `sendfile`. The file
    /// must not change afterwards, because the kernel keeps its pages and not a copy. Fails for Unix sockets.
    pub fn try_send_file(&self, file: BorrowedFd<'_>, offset: usize, length: usize) -> io::Result<usize> {
        let Stream::Tcp(stream) = &self.stream else { return Err(io::ErrorKind::Unsupported.into()) };
        let mut offset = offset as u64;
        let send = || Ok(sendfile(stream, file, Some(&mut offset), length)?);
        let count = stream.try_io(Interest::WRITABLE, send)?;
        self.written.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    /// Waits until the kernel accepts bytes. Wakes only the task of the last call.
    pub fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.stream {
            Stream::Tcp(stream) => stream.poll_write_ready(context),
            Stream::Unix(stream) => stream.poll_write_ready(context),
        }
    }

    /// Shuts down the sending side: tells the peer that no more bytes follow.
    pub fn shut_down_write(&self) -> io::Result<()> {
        self.sock_ref().shutdown(Shutdown::Write)
    }

    /// Returns how many bytes the kernel has accepted.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Returns how many of the written bytes the peer's kernel has acknowledged. It acknowledges only bytes that it has
    /// buffer space for, and its program frees that space by reading.
    ///
    /// # Errors
    ///
    /// Fails if the kernel cannot tell.
    pub fn acknowledged(&self) -> io::Result<u64> {
        // In this order: bytes written between the two calls then count as not acknowledged.
        let written = self.written();
        Ok(written.saturating_sub(send_queue(&*self.sock_ref())?))
    }

    /// Returns whether the peer has shut down its sending side. It may still read, or it may be gone.
    pub fn is_half_closed(&self) -> bool {
        let ready = pin!(self.ready(Interest::READABLE));
        let polled = ready.poll(&mut Context::from_waker(Waker::noop()));
        matches!(polled, Poll::Ready(Ok(ready)) if ready.is_read_closed())
    }

    /// Waits until the connection fails: the peer has reset it, or does not answer keepalive probes.
    pub async fn failed(&self) {
        // `ready` fails only if the runtime is shutting down.
        while let Ok(ready) = self.ready(Interest::ERROR).await
            && !ready.is_error()
        {}
    }

    /// Sends a response to a client whose request is not read. The caller closes the connection. Does not block: a
    /// newly accepted socket has buffer space for a few hundred bytes.
    pub fn refuse(&self, response: &[u8]) {
        let socket = self.sock_ref();
        // Fails if the client has left already.
        let _ = socket.send(response);
        // Closing a socket with unread bytes makes the kernel reset the connection, and the client may lose the
        // response.
        let _ = (&*socket).read(&mut [0; REFUSED_REQUEST]);
    }

    /// Makes the kernel discard unsent bytes and reset the connection when the socket is closed. Otherwise it would
    /// keep the bytes for minutes if the client does not read.
    pub fn discard_unsent(&self) {
        // Has no effect on Unix sockets, whose unread bytes the peer keeps.
        let _ = self.sock_ref().set_linger(Some(Duration::ZERO));
    }

    /// Waits until the kernel accepts bytes.
    #[cfg(test)]
    pub async fn writable(&self) {
        self.ready(Interest::WRITABLE).await.unwrap();
    }

    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match &self.stream {
            Stream::Tcp(stream) => stream.ready(interest).await,
            Stream::Unix(stream) => stream.ready(interest).await,
        }
    }

    fn sock_ref(&self) -> SockRef<'_> {
        match &self.stream {
            Stream::Tcp(stream) => SockRef::from(stream),
            Stream::Unix(stream) => SockRef::from(stream),
        }
    }
}
