//! Two additions to hyper's HTTP/1.1: bytes that it has read can be given back, and its own error responses, which have
//! no body, get a line of text. hyper has no hook for these, so this wrapper replaces what hyper writes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that knows whether a response of the service is in progress.
pub trait Exchanges {
    /// Whether hyper can only write a response of its own now: no other is in progress, and nothing of the last one is
    /// left in hyper's buffer.
    fn is_idle(&self) -> bool;
}

/// The I/O object that hyper reads from and writes to.
pub struct Http1Io<S> {
    inner: S,
    /// The response to write instead of hyper's error response, and how many bytes of it are written.
    replacement: Option<(Vec<u8>, usize)>,
    /// Bytes that were read and given back.
    unread: Bytes,
}

impl<S> Http1Io<S> {
    /// Wraps a connection from which nothing has been read.
    pub fn new(inner: S) -> Self {
        Self { inner, replacement: None, unread: Bytes::new() }
    }

    /// Gives back bytes that hyper has read but not used. They are read again, before all others. Copies them, because
    /// they may be few bytes of a large buffer.
    pub fn unread(&mut self, bytes: &[u8]) {
        // hyper need not have read all that was given back before.
        self.unread = [bytes, &self.unread].concat().into();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Http1Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let count = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread.split_to(count));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Exchanges + Unpin> Http1Io<S> {
    /// Writes a replacement of `bytes` if they are one of hyper's error responses. Returns `None` otherwise.
    fn poll_replace(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<usize>>> {
        if self.replacement.is_none() {
            let explained = explain(bytes)?;
            // The body of a response may look the same.
            if !self.inner.is_idle() {
                return None;
            }
            self.replacement = Some((explained, 0));
        }
        let (replacement, written) = self.replacement.as_mut()?;
        while let Some(rest) = replacement.get(*written..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.inner).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Ok(count)) => *written += count,
                other => return Some(other),
            }
        }
        self.replacement = None;
        Some(Poll::Ready(Ok(bytes.len())))
    }
}

impl<S: AsyncWrite + Exchanges + Unpin> AsyncWrite for Http1Io<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.poll_replace(context, bytes) {
            Some(result) => result,
            None => Pin::new(&mut self.inner).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // hyper's error responses have no body, so they are one slice.
        if let [bytes] = slices
            && let Some(result) = self.poll_replace(context, bytes)
        {
            return result;
        }
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// Adds a line of text to one of hyper's error responses. Returns `None` for all other bytes. The service's responses
/// differ in that they have `X-Content-Type-Options`.
pub(super) fn explain(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(b"HTTP/1.1 4") || !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?;
    let (status_line, headers) = head.split_once("\r\n")?;
    let mut headers = headers.split_terminator("\r\n").filter(|line| !line.is_empty());
    let is_default =
        |line: &str| ["Connection: close", "Content-Length: 0"].contains(&line) || line.starts_with("Date: ");
    if !headers.all(is_default) || !head.contains("Content-Length: 0\r\n") {
        return None;
    }
    let code = status_line.split(' ').nth(1)?;
    let reason = match code {
        "400" => "not a well-formed HTTP/1.1 request",
        "414" => "the request target is too long",
        "431" => "the request's head is too large: at most 8 KiB and 100 headers are allowed",
        _ => "invalid request",
    };
    let line = format!("{code} {reason}\n");
    let explained = format!(
        "{status_line}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
         X-Content-Type-Options: nosniff\r\nContent-Length: {}\r\n\r\n{line}",
        line.len()
    );
    Some(explained.into_bytes())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const HYPERS_ERROR: &[u8] =
        b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\nDate: x\r\n\r\n";

    struct Output {
        written: Vec<u8>,
        is_idle: bool,
    }

    impl AsyncWrite for Output {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.written.extend(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl Exchanges for Output {
        fn is_idle(&self) -> bool {
            self.is_idle
        }
    }

    /// The client got more bytes than the head of the response promised.
    #[tokio::test]
    async fn the_body_of_a_response_may_look_like_an_error_of_hyper() {
        for is_idle in [false, true] {
            let mut io = Http1Io::new(Output { written: Vec::new(), is_idle });
            io.write_all(HYPERS_ERROR).await.unwrap();
            assert_eq!(io.inner.written == HYPERS_ERROR, !is_idle);
        }
    }

    #[tokio::test]
    async fn bytes_that_are_given_back_are_read_first() {
        let (first, second) = ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", "cGET / HTTP/1.1\r\n\r\n");
        let input = format!("{first}{second}");
        let mut io = Http1Io::new(input.as_bytes());
        let mut head = vec![0; first.len()];
        io.read_exact(&mut head).await.unwrap();
        io.unread(&head.split_off(10));
        // Reads some of them, and gives back some of those.
        let mut some = [0; 8];
        io.read_exact(&mut some).await.unwrap();
        io.unread(&some[3..]);
        let mut rest = String::new();
        io.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, input[13..]);
    }

    #[test]
    fn only_hypers_own_errors_are_explained() {
        let text = String::from_utf8(explain(HYPERS_ERROR).unwrap()).unwrap();
        assert!(text.starts_with("HTTP/1.1 431 ") && text.contains("\r\nX-Content-Type-Options: nosniff\r\n"));
        let (head, line) = text.split_once("\r\n\r\n").unwrap();
        assert!(line.starts_with("431 ") && line.ends_with('\n'));
        assert!(head.contains(&format!("Content-Length: {}", line.len())));
        for other in [
            &b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nX-Content-Type-Options: nosniff\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"",
        ] {
            assert!(explain(other).is_none());
        }
    }
}
