//! A connection whose sending side can be lent.
//!
//! hyper owns a connection, and all that is sent goes through its task. Where the same bytes go to many connections,
//! waking a task for each costs more than need be: so a response's body can take the sending side out of its
//! connection, have somebody else write the body's bytes, and put it back.
//!
//! That no byte of hyper's comes between those of the borrower follows from two things:
//!
//! * The sending side is in one place at a time, which its type sees to: a [`WriteHalf`] cannot be cloned.
//!   While it is lent, hyper has nothing to write to. If it tried, it would get an error, which ends the connection.
//! * It is lent only when hyper has nothing left to write, so it will not try. It asks for a flush when its buffer is
//!   empty, and at no other time; and after that, its buffer gets only what the body gives (RFC 9112, section 2.1: a
//!   message is a head and then its body). The body says here when it gives something, and asks for the sending side
//!   only when a flush has come after that; while it is lent, it gives nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http::socket::{Socket, WriteHalf};

/// A connection, as hyper has it.
pub struct Connection {
    socket: Arc<Socket>,
    line: Line,
}

impl Connection {
    /// The connection of this socket.
    pub fn new(socket: impl Into<Socket>) -> Self {
        let socket = Arc::new(socket.into());
        let half = Some(WriteHalf::new(socket.clone()));
        Self { socket, line: Line(Arc::new(Mutex::new(Sending { half, is_flushed: true }))) }
    }

    /// Its sending side, for the bodies of its responses.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// Its socket, to watch over.
    pub fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }
}

/// The sending side of a connection. Clones are the same.
#[derive(Clone)]
pub struct Line(Arc<Mutex<Sending>>);

struct Sending {
    /// None while it is lent.
    half: Option<WriteHalf>,
    /// Whether all that hyper was given has been written.
    is_flushed: bool,
}

impl Line {
    /// To be called by a body when it gives something to hyper.
    pub fn gives(&self) {
        self.sending().is_flushed = false;
    }

    /// Take the sending side. None while there is something left to write. A body that has taken it must give nothing,
    /// and not end, before it is [`put_back`](Self::put_back).
    pub fn take(&self) -> Option<WriteHalf> {
        let mut sending = self.sending();
        if sending.is_flushed { sending.half.take() } else { None }
    }

    /// Put the sending side back, after a whole number of the body's chunks.
    pub fn put_back(&self, half: WriteHalf) {
        self.sending().half = Some(half);
    }

    /// Whether all that hyper was given has been written.
    pub fn is_flushed(&self) -> bool {
        self.sending().is_flushed
    }

    fn sending(&self) -> MutexGuard<'_, Sending> {
        // Nothing that is done under the lock can leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<T>(&self, write: impl FnOnce(&WriteHalf) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let mut sending = self.sending();
        sending.is_flushed = false;
        match &sending.half {
            Some(half) => write(half),
            None => Poll::Ready(Err(io::Error::other("the connection is lent"))),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.line.write(|half| half.poll_write_vectored(context, &[IoSlice::new(bytes)]))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.line.write(|half| half.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What a socket has taken is on its way.
        self.line.sending().is_flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.write(|half| Poll::Ready(half.shut_down()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn a_line_is_lent_when_all_is_written_and_then_nobody_else_can_write() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut connection = Connection::new(listener.accept().await.unwrap().0);
        let line = connection.line().clone();
        line.gives();
        connection.write_all(b"head").await.unwrap();
        assert!(line.take().is_none(), "there may be more");
        connection.flush().await.unwrap();
        line.gives();
        assert!(line.take().is_none(), "what was given is not written");
        connection.write_all(b"part").await.unwrap();
        connection.flush().await.unwrap();
        let half = line.take().unwrap();
        assert!(line.take().is_none(), "there is only one");
        assert_eq!(half.try_write_vectored(&[IoSlice::new(b"lent")]).unwrap(), 4);
        assert!(connection.write_all(b"cut").await.is_err());
        line.put_back(half);
        connection.write_all(b"end").await.unwrap();
        drop(connection);
        drop(line);
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "headpartlentend");
    }
}
