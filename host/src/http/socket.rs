//! A client's socket, shared by who reads it, who writes to it and who watches over it.

use std::io::{self, IoSlice, Read as _};
use std::net::Shutdown;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};

use crate::http::send_queue::send_queue;

/// The most of a request that is read to be refused: the head of nearly all.
const REFUSED_REQUEST: usize = 4096;

/// A connected socket.
pub struct Socket {
    stream: Stream,
    /// The bytes that the kernel has taken so far.
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
    /// Read what there is. Only one task at a time is woken when there is more.
    pub fn poll_read(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(match &self.stream {
                Stream::Tcp(stream) => stream.poll_read_ready(context),
                Stream::Unix(stream) => stream.poll_read_ready(context),
            })?;
            // Not into an initialised slice: writing zeros to all of a buffer makes all of it resident, and most of hyper's
            // is never used.
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

    /// Writes as many bytes as the kernel accepts now, by one system call.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = match &self.stream {
            Stream::Tcp(stream) => stream.try_write_vectored(slices),
            Stream::Unix(stream) => stream.try_write_vectored(slices),
        }?;
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

    /// Tells the peer that no more bytes follow.
    pub fn shut_down_write(&self) -> io::Result<()> {
        self.reference().shutdown(Shutdown::Write)
    }

    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match &self.stream {
            Stream::Tcp(stream) => stream.ready(interest).await,
            Stream::Unix(stream) => stream.ready(interest).await,
        }
    }

    fn reference(&self) -> SockRef<'_> {
        match &self.stream {
            Stream::Tcp(stream) => SockRef::from(stream),
            Stream::Unix(stream) => SockRef::from(stream),
        }
    }

    /// How many bytes have been written so far.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// How many of the bytes that were written the peer's kernel has acknowledged. It acknowledges no more than its
    /// program makes room for by reading.
    pub fn acknowledged(&self) -> io::Result<u64> {
        // In this order, so that what is written in between counts as not acknowledged at the worst.
        let written = self.written();
        Ok(written.saturating_sub(send_queue(&*self.reference())?))
    }

    /// Whether the peer has shut down its sending side: it may still read, or it may be gone.
    pub fn is_half_closed(&self) -> bool {
        let ready = pin!(self.ready(Interest::READABLE));
        let polled = ready.poll(&mut Context::from_waker(Waker::noop()));
        matches!(polled, Poll::Ready(Ok(ready)) if ready.is_read_closed())
    }

    /// Wait until the connection has failed: the peer has reset it, or does not answer keepalive probes.
    pub async fn failed(&self) {
        // An error means that the runtime is shutting down.
        while let Ok(ready) = self.ready(Interest::ERROR).await
            && !ready.is_error()
        {}
    }

    /// Send a response to a client whose connection is closed after that, whatever it has asked for. Does not block: a socket
    /// that has just been accepted takes a few hundred bytes at once.
    pub fn refuse(&self, response: &[u8]) {
        let socket = self.reference();
        // If the client has left meanwhile, there is nobody to refuse.
        let _ = socket.send(response);
        // What is not read when the socket is closed makes the kernel reset the connection, and the client may lose the
        // response.
        let _ = (&*socket).read(&mut [0; REFUSED_REQUEST]);
    }

    /// Have the kernel discard what was not sent, and reset the connection, when the socket is closed. Otherwise it would
    /// keep the bytes for minutes, for a client that does not take them.
    pub fn discard_unsent(&self) {
        // Fails for a Unix socket, which has nothing to discard.
        let _ = self.reference().set_linger(Some(Duration::ZERO));
    }
}
