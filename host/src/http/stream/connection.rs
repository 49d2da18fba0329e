//! A connection whose write half can be lent.
//!
//! hyper reads from and writes to a [`Connection`]. The body of a response can take the write half out of it, have
//! another task write the body's chunks, and put it back. Two rules keep the bytes of the two writers apart:
//!
//! * **They never write at the same time.** Only the holder of the [`WriteHalf`] can write, and it cannot be cloned. If
//!   hyper writes while it is lent, hyper gets an error and ends the connection.
//! * **They take turns only between chunks.** The body takes the write half when it has returned at least one frame and
//!   hyper has flushed since; it calls [`SharedWriter::set_unflushed`] with each frame. hyper flushes only when its
//!   buffer is empty, so the head and these frames are written. A message is a head followed by its body (RFC 9112,
//!   section 2.1), and HTTP/1.1 connections carry one response at a time, so hyper then buffers only what the body
//!   returns. The body returns nothing and does not end while the write half is lent, and the other task returns it
//!   after a whole chunk.
//!
//! The condition of a returned frame matters: hyper polls the body for the first time while it still holds the head,
//! which nothing has marked as unflushed.
//!
//! While the write half is lent, the connection's task takes the connection out of hyper, which then has nothing left to
//! write. [`send_rest`](super::without_hyper::send_rest) sends the rest of the body in its place, by the same rules.
//!
//! If a body is dropped while the write half is lent, the write half is dropped too, perhaps within a chunk. hyper can
//! write nothing after that, so the connection ends, and the client sees an incomplete response (RFC 9112, section 8).

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::http1_io::Exchanges;
use super::write_half::{Sink, WriteHalf};
use crate::http::socket::Socket;
use crate::http::tls::{HandshakeError, TlsConfig, TlsSession};

impl Sink for Socket {
    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(slices)
    }

    fn sends_files(&self) -> bool {
        self.sends_files()
    }

    fn try_send_file(&self, file: BorrowedFd<'_>, offset: usize, length: usize) -> io::Result<usize> {
        self.try_send_file(file, offset, length)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(context)
    }

    fn shut_down(&self) -> io::Result<()> {
        self.shut_down_write()
    }
}

/// A connection as hyper reads from it and writes to it.
pub struct Connection {
    socket: Arc<Socket>,
    /// `None` if the connection is not encrypted.
    tls: Option<Arc<TlsSession>>,
    writer: SharedWriter,
}

impl Connection {
    /// Creates the connection of this socket.
    pub fn new(socket: impl Into<Socket>) -> Self {
        let socket = Arc::new(socket.into());
        let writer = SharedWriter::new(socket.clone());
        Self { socket, tls: None, writer }
    }

    /// Creates the encrypted connection of this socket. The [`handshake`](Self::handshake) must come first.
    ///
    /// # Errors
    ///
    /// Fails if the library for TLS cannot create a session.
    pub fn with_tls(socket: impl Into<Socket>, config: &TlsConfig) -> io::Result<Self> {
        let socket = Arc::new(socket.into());
        let tls = Arc::new(TlsSession::new(socket.clone(), config).map_err(io::Error::other)?);
        let writer = SharedWriter::new(tls.clone());
        Ok(Self { socket, tls: Some(tls), writer })
    }

    /// Returns whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Waits until an encrypted connection can transport bytes. Returns at once if it is not encrypted. The caller
    /// limits the time.
    ///
    /// # Errors
    ///
    /// Fails if the client does not speak TLS or the connection ends.
    pub async fn handshake(&self) -> Result<(), HandshakeError> {
        match &self.tls {
            Some(tls) => tls.handshake().await,
            None => Ok(()),
        }
    }

    /// Returns the connection's writer, for the bodies of its responses.
    pub fn writer(&self) -> &SharedWriter {
        &self.writer
    }

    /// Returns the connection's socket. Once hyper serves the connection, only the write half may write to it.
    pub fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }
}

/// A connection's write half, shared by the connection and the bodies of its responses. Clones share it.
#[derive(Clone)]
pub struct SharedWriter(Arc<Mutex<WriterState>>);

struct WriterState {
    /// `None` while it is lent.
    write_half: Option<WriteHalf>,
    /// Whether hyper has flushed since its last write and the last [`SharedWriter::set_unflushed`].
    is_flushed: bool,
    /// Whether the service answers a request, from the arrival of its head to the end of the body of its response.
    is_answering: bool,
    /// Whether the client was told that no more bytes follow.
    is_shut_down: bool,
}

impl SharedWriter {
    fn new(sink: Arc<dyn Sink>) -> Self {
        let write_half = Some(WriteHalf::new(sink));
        Self(Arc::new(Mutex::new(WriterState {
            write_half,
            is_flushed: true,
            is_answering: false,
            is_shut_down: false,
        })))
    }

    /// Records that hyper is about to buffer bytes. A body that lends must call this when it returns a frame.
    pub fn set_unflushed(&self) {
        self.lock().is_flushed = false;
    }

    /// Records that the service begins to answer a request.
    pub fn begin_answer(&self) {
        self.lock().is_answering = true;
    }

    /// Records that the body of a response has ended. hyper still has to write what it has buffered.
    pub fn end_answer(&self) {
        let mut state = self.lock();
        state.is_answering = false;
        state.is_flushed = false;
    }

    /// Takes the write half out. Returns `None` if it is lent already or hyper has not [flushed](Self::is_flushed).
    ///
    /// Only a body that has returned a frame may call this: before that, hyper may hold the head. The body must return
    /// no further frame, and not end, before it has [put the write half back](Self::put_back).
    pub fn take(&self) -> Option<WriteHalf> {
        let mut state = self.lock();
        if state.is_flushed { state.write_half.take() } else { None }
    }

    /// Returns whether the write half is lent.
    pub fn is_lent(&self) -> bool {
        self.lock().write_half.is_none()
    }

    /// Puts the write half back. The last chunk written to it must be complete.
    pub fn put_back(&self, write_half: WriteHalf) {
        self.lock().write_half = Some(write_half);
    }

    /// Returns whether hyper has flushed since its last write and since the last
    /// [`set_unflushed`](Self::set_unflushed).
    pub fn is_flushed(&self) -> bool {
        self.lock().is_flushed
    }

    fn lock(&self) -> MutexGuard<'_, WriterState> {
        // No code that runs under the lock can leave the data inconsistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_write<T>(&self, write: impl FnOnce(&WriteHalf) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let mut state = self.lock();
        state.is_flushed = false;
        match &state.write_half {
            Some(write_half) => write(write_half),
            None => Poll::Ready(Err(lent_error())),
        }
    }

    /// Tells the client that no more bytes follow, unless it was told before. What hyper has written is flushed by then,
    /// and stays so: the connection can be closed while the client still sends.
    fn shut_down(&self) -> io::Result<()> {
        let mut state = self.lock();
        let Some(write_half) = &state.write_half else { return Err(lent_error()) };
        if !state.is_shut_down {
            write_half.shut_down()?;
            state.is_shut_down = true;
        }
        Ok(())
    }

    fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.lock();
        if let Some(write_half) = &state.write_half {
            ready!(write_half.poll_flush(context))?;
        }
        state.is_flushed = true;
        Poll::Ready(Ok(()))
    }
}

fn lent_error() -> io::Error {
    io::Error::other("the write half is lent")
}

impl Exchanges for Connection {
    fn is_idle(&self) -> bool {
        let state = self.writer.lock();
        state.is_flushed && !state.is_answering
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &self.tls {
            Some(tls) => tls.poll_read(context, buffer),
            None => self.socket.poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writer.poll_write(|half| half.poll_write_vectored(context, &[IoSlice::new(bytes)]))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writer.poll_write(|half| half.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.writer.shut_down())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn the_write_half_is_lent_only_after_a_flush_and_then_hyper_cannot_write() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut connection = Connection::new(listener.accept().await.unwrap().0);
        let writer = connection.writer().clone();
        writer.set_unflushed();
        connection.write_all(b"head").await.unwrap();
        assert!(writer.take().is_none(), "hyper may have more to write");
        connection.flush().await.unwrap();
        writer.set_unflushed();
        assert!(writer.take().is_none(), "the frame is not written yet");
        connection.write_all(b"part").await.unwrap();
        connection.flush().await.unwrap();
        let half = writer.take().unwrap();
        assert!(writer.take().is_none(), "it is lent already");
        assert_eq!(half.try_write_vectored(&[IoSlice::new(b"lent")]).unwrap(), 4);
        assert!(connection.write_all(b"cut").await.is_err());
        writer.put_back(half);
        connection.write_all(b"end").await.unwrap();
        drop(connection);
        drop(writer);
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "headpartlentend");
    }
}
