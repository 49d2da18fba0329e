//! One encrypted connection.
//!
//! The task that reads (hyper's) and the one that writes (hyper's or the fan-out's) share the session under a lock,
//! which is held while bytes are encrypted, decrypted and passed to or from the kernel, none of which blocks.

use std::future::poll_fn;
use std::io::{self, BufRead as _, IoSlice, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;
use tokio::io::ReadBuf;

use super::config::TlsConfig;
use crate::http::socket::Socket;
use crate::http::stream::write_half::Sink;

/// How many bytes a session encrypts before the kernel must have accepted them: four records of the largest size. It
/// bounds the memory of a viewer that reads slowly. Records in one piece save system calls.
const BUFFER_LIMIT: usize = 64 << 10;

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The client speaks HTTP, without TLS.
    #[error("the client sent a plain HTTP request to an address for HTTPS")]
    PlainHttp,
    /// The client has violated the protocol, or does not trust the certificate.
    #[error("TLS: {0}")]
    Protocol(#[from] rustls::Error),
    /// The connection failed.
    #[error("TLS: the connection ended during the handshake: {0}")]
    Connection(#[from] io::Error),
}

/// The TLS session of a connection.
pub struct TlsSession {
    socket: Arc<Socket>,
    session: Mutex<ServerConnection>,
}

impl TlsSession {
    /// Creates the session of a newly accepted connection.
    ///
    /// # Errors
    ///
    /// Fails if the library cannot create a session.
    pub fn new(socket: Arc<Socket>, config: &TlsConfig) -> Result<Self, rustls::Error> {
        let mut session = config.session()?;
        session.set_buffer_limit(Some(BUFFER_LIMIT));
        Ok(Self { socket, session: Mutex::new(session) })
    }

    /// Waits until the client and the server have agreed on keys. The caller limits the time.
    ///
    /// # Errors
    ///
    /// Fails if the client does not speak TLS or the connection ends. The client has been told why, except with
    /// [`HandshakeError::PlainHttp`].
    pub async fn handshake(&self) -> Result<(), HandshakeError> {
        let mut is_first = true;
        loop {
            poll_fn(|context| self.poll_flush(context)).await?;
            if !self.lock().is_handshaking() {
                return Ok(());
            }
            poll_fn(|context| self.socket.poll_read_ready(context)).await?;
            self.read_handshake(&mut is_first)?;
        }
    }

    /// Reads what has arrived. `is_first` is whether nothing has arrived before.
    fn read_handshake(&self, is_first: &mut bool) -> Result<(), HandshakeError> {
        let mut session = self.lock();
        let mut incoming = Incoming { socket: &self.socket, first: None };
        match session.read_tls(&mut incoming) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        // The first byte of TLS is the type of a record, 22 (RFC 8446, section 5.1); that of HTTP is a letter of the method.
        if std::mem::take(is_first) && incoming.first.is_some_and(|byte| byte.is_ascii_alphabetic()) {
            return Err(HandshakeError::PlainHttp);
        }
        self.process(&mut session)?;
        Ok(())
    }

    /// Waits for bytes, and returns them decrypted. At the end it returns none. Wakes only the task of the last call.
    pub fn poll_read(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut session = self.lock();
            // Not `read`, which would need initialized memory, see `Socket::poll_read`.
            match session.reader().into_first_chunk() {
                Ok(bytes) => {
                    let count = bytes.len().min(buffer.remaining());
                    buffer.put_slice(bytes.get(..count).unwrap_or_default());
                    session.reader().consume(count);
                    return Poll::Ready(Ok(()));
                }
                // Many clients close the connection without announcing it. HTTP tells where a request ends, so one that
                // was cut off is noticed all the same.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            // Also if bytes have arrived: it counts against what the task may do before others have their turn. Otherwise a
            // client that sends faster than this decrypts could keep the thread.
            ready!(self.socket.poll_read_ready(context))?;
            match session.read_tls(&mut Incoming { socket: &self.socket, first: None }) {
                Ok(_) => self.process(&mut session).map_err(io::Error::other)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Processes the records that were read. If one is invalid, tells the client.
    fn process(&self, session: &mut ServerConnection) -> Result<(), rustls::Error> {
        let result = session.process_new_packets().map(drop);
        // An alert, or the response to a request for new keys. If the kernel accepts no bytes now, they are sent with
        // the next ones.
        let _ = self.flush(session);
        result
    }

    fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let result = self.flush(&mut self.lock());
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_write_ready(context))?;
                }
                result => return Poll::Ready(result),
            }
        }
    }

    /// Passes encrypted bytes to the kernel. Fails with [`WouldBlock`](io::ErrorKind::WouldBlock) if some remain.
    fn flush(&self, session: &mut ServerConnection) -> io::Result<()> {
        while session.wants_write() {
            if session.write_tls(&mut Outgoing(&self.socket))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, ServerConnection> {
        // The library does not panic in the middle of a change.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for TlsSession {
    /// Encrypts bytes and passes them to the kernel. What it does not accept at once stays in the session, up to
    /// `BUFFER_LIMIT` bytes and their framing, and nothing is accepted until that is sent.
    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut session = self.lock();
        self.flush(&mut session)?;
        let count = session.writer().write_vectored(slices)?;
        match self.flush(&mut session) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    fn try_flush(&self) -> io::Result<()> {
        self.flush(&mut self.lock())
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_write_ready(context)
    }

    fn shut_down(&self) -> io::Result<()> {
        let mut session = self.lock();
        session.send_close_notify();
        // A client that reads nothing does not learn that the connection has ended properly.
        let _ = self.flush(&mut session);
        self.socket.shut_down_write()
    }
}

/// What the library reads from.
struct Incoming<'a> {
    socket: &'a Socket,
    /// The first byte that was read.
    first: Option<u8>,
}

impl Read for Incoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.try_read(buffer)?;
        if count > 0 && self.first.is_none() {
            self.first = buffer.first().copied();
        }
        Ok(count)
    }
}

/// What the library writes to.
struct Outgoing<'a>(&'a Socket);

impl Write for Outgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
