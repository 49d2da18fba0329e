//! Two corrections of hyper's HTTP/1.1: requests with both `Content-Length` and `Transfer-Encoding` are rejected, and
//! hyper's own error responses, which have no body, get a line of text.
//!
//! hyper has no hooks for these, so this wrapper scans the bytes that hyper reads and replaces the errors it writes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const CONTENT_LENGTH: &[u8] = b"content-length";
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding";

/// The length of the longer name, in bytes.
const NAME_LIMIT: usize = TRANSFER_ENCODING.len();

/// The I/O object that hyper reads from and writes to.
pub struct Http1Io<S> {
    inner: S,
    framing: RequestFraming,
    /// The response to write instead of hyper's error response, and how many bytes of it are written.
    replacement: Option<(Vec<u8>, usize)>,
    /// Bytes that were read and given back. They are scanned.
    unread: Bytes,
}

impl<S> Http1Io<S> {
    /// Wraps a connection from which nothing has been read.
    pub fn new(inner: S) -> Self {
        Self { inner, framing: RequestFraming::default(), replacement: None, unread: Bytes::new() }
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
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        self.framing.scan(buffer.filled_mut().get_mut(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Http1Io<S> {
    /// Writes a replacement of `bytes` if they are one of hyper's error responses. Returns `None` otherwise.
    fn poll_replace(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<usize>>> {
        if self.replacement.is_none() {
            self.replacement = Some((explain(bytes, self.framing.has_conflict)?, 0));
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Http1Io<S> {
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
pub(super) fn explain(bytes: &[u8], has_conflict: bool) -> Option<Vec<u8>> {
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
        "400" if has_conflict => "the request has both Content-Length and Transfer-Encoding",
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

/// Finds requests with both `Content-Length` and `Transfer-Encoding` in the bytes of a connection. A proxy in front of
/// the server could use the other header, and so find the end of the request elsewhere (request smuggling). RFC 9112,
/// section 6.1, allows servers to reject such requests. hyper alone decides where a request ends.
#[derive(Default)]
struct RequestFraming {
    state: State,
    /// The bytes of the header's name so far.
    name: [u8; NAME_LIMIT],
    /// The length of the name, which may exceed [`NAME_LIMIT`].
    name_length: usize,
    /// The current request's `Content-Length`, in bytes.
    content_length: Option<u64>,
    is_chunked: bool,
    has_conflict: bool,
}

#[derive(Clone, Copy, Default)]
enum State {
    /// Before a request line. Empty lines are allowed here.
    #[default]
    Start,
    RequestLine,
    /// At the start of a header line.
    LineStart,
    Name,
    Value,
    /// In the value of `Content-Length`.
    Length,
    /// In a body with this many bytes left.
    Body(u64),
    /// Ignoring all further bytes: a body is chunked, or the connection ends with a rejection.
    Done,
}

impl RequestFraming {
    /// Scans bytes before hyper sees them. If a head has both headers, overwrites the colon of the second, so that
    /// hyper rejects the request.
    fn scan(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.state {
                State::Done => return,
                State::Body(left) => {
                    let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    self.state = match left - skipped as u64 {
                        0 => State::Start,
                        left => State::Body(left),
                    };
                    rest = rest.split_at_mut(skipped).1;
                }
                _ => {
                    let Some((byte, after)) = rest.split_first_mut() else { return };
                    self.step(byte);
                    rest = after;
                }
            }
        }
    }

    fn step(&mut self, byte: &mut u8) {
        self.state = match (self.state, *byte) {
            (State::Start, b'\r' | b'\n') => State::Start,
            (State::Start, _) => State::RequestLine,
            (State::LineStart, b'\r') => State::LineStart,
            (State::LineStart, b'\n') => self.finish_head(),
            (State::RequestLine | State::Name | State::Value | State::Length, b'\n') => State::LineStart,
            (State::LineStart, _) => {
                self.name_length = 0;
                self.push_name_byte(*byte);
                State::Name
            }
            (State::Name, b':') => self.finish_name(byte),
            (State::Name, _) => {
                self.push_name_byte(*byte);
                State::Name
            }
            (State::Length, digit @ b'0'..=b'9') => {
                let length = self.content_length.unwrap_or_default();
                self.content_length = Some(length.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
                State::Length
            }
            (state, _) => state,
        };
    }

    fn push_name_byte(&mut self, byte: u8) {
        if let Some(slot) = self.name.get_mut(self.name_length) {
            *slot = byte;
        }
        self.name_length = self.name_length.saturating_add(1);
    }

    fn finish_name(&mut self, colon: &mut u8) -> State {
        let name = self.name.get(..self.name_length).unwrap_or_default();
        let is_length = name.eq_ignore_ascii_case(CONTENT_LENGTH);
        let is_coding = name.eq_ignore_ascii_case(TRANSFER_ENCODING);
        if (is_length && self.is_chunked) || (is_coding && self.content_length.is_some()) {
            self.has_conflict = true;
            *colon = 0;
            return State::Done;
        }
        self.is_chunked |= is_coding;
        if is_length {
            self.content_length = Some(0);
            return State::Length;
        }
        State::Value
    }

    fn finish_head(&mut self) -> State {
        match self.content_length.take() {
            _ if self.is_chunked => State::Done,
            Some(length) if length > 0 => State::Body(length),
            _ => State::Start,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// Returns whether a conflict is found when these bytes are read in pieces of this size. No other byte may change.
    fn has_conflict(text: &str, size: usize) -> bool {
        let mut framing = RequestFraming::default();
        let mut bytes = text.as_bytes().to_vec();
        bytes.chunks_mut(size).for_each(|piece| framing.scan(piece));
        let changed = bytes.iter().zip(text.as_bytes()).filter(|(now, before)| now != before).count();
        assert_eq!(changed, usize::from(framing.has_conflict), "{text:?}");
        framing.has_conflict
    }

    #[test]
    fn a_request_with_both_headers_is_found_anywhere() {
        let both = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\ntransfer-encoding: chunked\r\n\r\n";
        let reverse = "POST / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
        let bare = "POST / HTTP/1.1\nContent-Length: 3\nTransfer-Encoding: chunked\n\n";
        let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let post = "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\nabc\r\n\r\ndef:x";
        for conflict in [both, reverse, bare] {
            for before in ["", "\r\n", get, post, &format!("{get}{post}{get}")] {
                for size in [1, 2, 7, 1000] {
                    assert!(has_conflict(&format!("{before}{conflict}"), size), "{before:?} {conflict:?}");
                }
            }
        }
    }

    #[test]
    fn other_requests_pass_unchanged() {
        for text in [
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 40\r\n\r\nTransfer-Encoding: x\r\nContent-Length: 1\r\n",
            "POST / HTTP/1.1\r\nX-Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nX: Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\naGET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n\r\nTransfer-Encoding: chunked\r\n",
        ] {
            for size in [1, 3, 1000] {
                assert!(!has_conflict(text, size), "{text:?}");
            }
        }
    }

    #[tokio::test]
    async fn bytes_that_are_given_back_are_read_first_and_not_scanned_again() {
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
        assert!(!io.framing.has_conflict && matches!(io.framing.state, State::Start));
    }

    #[test]
    fn only_hypers_own_errors_are_explained() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\nDate: x\r\n\r\n";
        let text = String::from_utf8(explain(bare, false).unwrap()).unwrap();
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
            assert!(explain(other, false).is_none());
        }
    }
}
