//! The body of a response.

use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::head::{Head, MAX_LINE_LENGTH, parse_header};

/// What delimits the body, and how much of it is left (RFC 9112, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// The end of the connection ends the body.
    Close,
    /// This many bytes are left.
    Length(u64),
    /// The size of a chunk comes next.
    ChunkSize,
    /// This many bytes of a chunk are left.
    Chunk(u64),
    /// The CRLF after a chunk comes next. This is a separate state so that the chunk's data is returned at once.
    ChunkEnd,
    /// The body is complete.
    End,
}

/// A response body that is read as it arrives.
#[derive(Debug)]
pub struct Body {
    stream: TcpStream,
    /// Bytes received but not yet consumed.
    received: Vec<u8>,
    pub(super) framing: Framing,
    deadline: Instant,
    /// The time allowed for the whole response, for messages.
    timeout: Duration,
    total_received: u64,
    rate_limit: Option<RateLimit>,
}

/// Limits the rate at which the socket is read.
#[derive(Debug)]
struct RateLimit {
    bytes_per_second: f64,
    since: Instant,
    /// The bytes received before the limit was set.
    received_before: u64,
}

impl Body {
    /// Creates the body of a response that has not been read yet.
    pub(super) fn new(stream: TcpStream, deadline: Instant, timeout: Duration) -> Self {
        Self {
            stream,
            received: Vec::new(),
            framing: Framing::Close,
            deadline,
            timeout,
            total_received: 0,
            rate_limit: None,
        }
    }

    /// Returns the next data, in the pieces in which it arrives, or `None` at the end of the body. A piece never spans
    /// two chunks. Blocks until data arrives.
    ///
    /// # Errors
    ///
    /// If the timeout expires, the body ends early, or the chunked coding is malformed.
    pub fn next_data(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            match self.framing {
                Framing::End | Framing::Length(0) => return Ok(None),
                Framing::Close => {
                    if self.received.is_empty() && !self.receive()? {
                        self.framing = Framing::End;
                        return Ok(None);
                    }
                    return Ok(Some(self.take(u64::MAX)));
                }
                Framing::Length(left) => {
                    if self.received.is_empty() && !self.receive()? {
                        return Err(format!("the connection closed {left} bytes short of the Content-Length"));
                    }
                    let data = self.take(left);
                    self.framing = Framing::Length(left.saturating_sub(data.len() as u64));
                    return Ok(Some(data));
                }
                Framing::ChunkSize => {
                    let line = self.read_line()?;
                    let size = line.split(';').next().unwrap_or_default().trim();
                    let size = u64::from_str_radix(size, 16)
                        .map_err(|_| format!("expected the size of a chunk, found {line:?}"))?;
                    if size == 0 {
                        while !self.read_line()?.is_empty() {}
                        self.framing = Framing::End;
                    } else {
                        self.framing = Framing::Chunk(size);
                    }
                }
                Framing::Chunk(left) => {
                    if self.received.is_empty() && !self.receive()? {
                        return Err(format!("the connection closed {left} bytes before the end of a chunk"));
                    }
                    let data = self.take(left);
                    let left = left.saturating_sub(data.len() as u64);
                    self.framing = if left == 0 { Framing::ChunkEnd } else { Framing::Chunk(left) };
                    return Ok(Some(data));
                }
                Framing::ChunkEnd => {
                    let line = self.read_line()?;
                    if !line.is_empty() {
                        return Err(format!("expected the end of a chunk, found {line:?}"));
                    }
                    self.framing = Framing::ChunkSize;
                }
            }
        }
    }

    /// Reads the rest of the body.
    ///
    /// # Errors
    ///
    /// As for [`Body::next_data`], and if more than `limit` bytes arrive.
    pub fn read_all(&mut self, limit: usize) -> Result<Vec<u8>, String> {
        let mut all = Vec::new();
        while let Some(data) = self.next_data()? {
            all.extend(data);
            if all.len() > limit {
                return Err(format!("the body is longer than {limit} bytes"));
            }
        }
        Ok(all)
    }

    /// Reads at most this many bytes per second from now on.
    pub fn limit_rate(&mut self, bytes_per_second: f64) {
        self.rate_limit = Some(RateLimit {
            bytes_per_second: bytes_per_second.max(1.0),
            since: Instant::now(),
            received_before: self.total_received,
        });
    }

    /// Checks that nothing more arrives for this long. The server may close the connection.
    ///
    /// # Errors
    ///
    /// If any byte arrives.
    pub fn expect_silence(&mut self, duration: Duration) -> Result<(), String> {
        let until = Instant::now() + duration;
        let deadline = std::mem::replace(&mut self.deadline, until);
        let received = if self.received.is_empty() { self.receive() } else { Ok(true) };
        self.deadline = deadline;
        match received {
            Ok(true) => Err(format!("{} unexpected bytes follow the response", self.received.len())),
            Ok(false) => Ok(()),
            Err(_) if Instant::now() >= until => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn read_head(&mut self) -> Result<Head, String> {
        let line = self.read_line()?;
        let mut words = line.splitn(3, ' ');
        let minor_version = match words.next() {
            Some("HTTP/1.0") => 0,
            Some("HTTP/1.1") => 1,
            _ => return Err(format!("the response starts with {line:?}, not with HTTP/1")),
        };
        let status = words.next().and_then(|word| word.parse().ok()).ok_or_else(|| format!("no status in {line:?}"))?;
        let mut head = Head { minor_version, status, headers: Vec::new() };
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok(head);
            }
            head.headers.push(parse_header(&line)?);
        }
    }

    /// Consumes at most `limit` of the received bytes.
    fn take(&mut self, limit: u64) -> Vec<u8> {
        let length = usize::try_from(limit).unwrap_or(usize::MAX).min(self.received.len());
        let rest = self.received.split_off(length);
        std::mem::replace(&mut self.received, rest)
    }

    /// Reads a line of the head or the chunked coding, without its CRLF.
    fn read_line(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let mut line = self.take(end as u64 + 1);
                line.pop();
                if line.pop() != Some(b'\r') {
                    return Err(format!("a line does not end with CRLF: {:?}", String::from_utf8_lossy(&line)));
                }
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if self.received.len() > MAX_LINE_LENGTH {
                return Err(format!("a line is longer than {MAX_LINE_LENGTH} bytes"));
            }
            if !self.receive()? {
                return Err("the connection closed within the head or a chunk size".into());
            }
        }
    }

    /// Receives more bytes. Returns `false` when the server has closed the connection.
    fn receive(&mut self) -> Result<bool, String> {
        let timed_out =
            |body: &Self| format!("nothing more came within {:.1?}, after {} bytes", body.timeout, body.total_received);
        let mut buffer = vec![0; if self.rate_limit.is_some() { 4 * 1024 } else { 64 * 1024 }];
        if let Some(limit) = &self.rate_limit {
            let received = self.total_received.saturating_sub(limit.received_before);
            let due = Duration::from_secs_f64(received as f64 / limit.bytes_per_second);
            std::thread::sleep(due.saturating_sub(limit.since.elapsed()));
        }
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(timed_out(self));
            }
            self.stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(length) => {
                    self.received.extend(buffer.iter().take(length));
                    self.total_received += length as u64;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(timed_out(self));
                }
                Err(error) => {
                    return Err(format!("the connection failed after {} bytes: {error}", self.total_received));
                }
            }
        }
    }
}
