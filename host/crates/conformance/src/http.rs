//! As much of HTTP as a client of pictures needs, over a plain socket, so that nothing hides how bytes arrive.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::Target;

/// More than any head that is meant well.
const LONGEST_LINE: usize = 16 * 1024;

/// A request without a body.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The path with its query.
    pub path: &'a str,
    /// The version's last digit: 0 or 1.
    pub minor: u8,
    /// Headers besides `Host`.
    pub headers: &'a [(&'a str, &'a str)],
    /// How much the system may keep for a reader that is slow. `None` leaves it to the system.
    pub receive_buffer: Option<usize>,
    /// Sends every byte of the request by itself.
    pub byte_wise: bool,
}

impl<'a> Request<'a> {
    /// An ordinary GET.
    #[must_use]
    pub fn get(path: &'a str) -> Self {
        Self { method: "GET", path, minor: 1, headers: &[], receive_buffer: None, byte_wise: false }
    }

    /// The same with another method.
    #[must_use]
    pub fn method(self, method: &'a str) -> Self {
        Self { method, ..self }
    }
}

/// What comes before the body.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The version's last digit.
    pub minor: u8,
    /// The status code.
    pub status: u16,
    /// Names and values, as sent.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The value of the first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// The value of the first header of that name, in any case.
#[must_use]
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A name and a value.
///
/// # Errors
///
/// If the line has no colon, or the name has a space.
pub fn parse_header(line: &str) -> Result<(String, String), String> {
    match line.split_once(':') {
        Some((name, value)) if !name.is_empty() && !name.contains(char::is_whitespace) => {
            Ok((name.to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("{line:?} is not a header")),
    }
}

/// An answer, of which the head has come.
#[derive(Debug)]
pub struct Response {
    /// What came first.
    pub head: Head,
    /// What is still to come.
    pub body: Body,
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// With the connection.
    Close,
    /// After so many bytes.
    Length(u64),
    /// A chunk's length comes next.
    ChunkHead,
    /// So many bytes of a chunk are left.
    Chunk(u64),
    /// The line break after a chunk comes next. Waiting for it may not delay what the chunk had.
    ChunkEnd,
    /// It has.
    End,
}

/// A body as it arrives.
#[derive(Debug)]
pub struct Body {
    stream: TcpStream,
    raw: Vec<u8>,
    framing: Framing,
    started: Instant,
    within: Duration,
    received: u64,
    /// How many bytes a second are read at most, and how many were when that began.
    pace: Option<(f64, Instant, u64)>,
}

/// Sends a request and reads the answer's head. All of the answer must come `within` that time.
///
/// # Errors
///
/// If there is no connection, or what comes is no answer of HTTP/1, or it does not come in time.
pub fn request(target: &Target, request: &Request<'_>, within: Duration) -> Result<Response, String> {
    let started = Instant::now();
    let mut stream = connect(&target.address, request.receive_buffer, within)?;
    let mut text =
        format!("{} {} HTTP/1.{}\r\nHost: {}\r\n", request.method, request.path, request.minor, target.address);
    for (name, value) in request.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let pieces = text.as_bytes().chunks(if request.byte_wise { 1 } else { text.len() });
    for piece in pieces {
        stream.write_all(piece).map_err(|error| format!("cannot send the request: {error}"))?;
    }
    let mut body = Body { stream, raw: Vec::new(), framing: Framing::Close, started, within, received: 0, pace: None };
    let head = body.head()?;
    let chunked = head.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    body.framing = if request.method == "HEAD" || matches!(head.status, 204 | 304) {
        Framing::End
    } else if chunked {
        if request.minor == 0 {
            return Err("the client spoke HTTP/1.0 and the answer is chunked".into());
        }
        Framing::ChunkHead
    } else if let Some(length) = head.header("content-length") {
        Framing::Length(length.parse().map_err(|_| format!("Content-Length is {length:?}"))?)
    } else {
        Framing::Close
    };
    Ok(Response { head, body })
}

/// Connects, with a small receive buffer if one is asked for.
pub(crate) fn connect(address: &str, receive_buffer: Option<usize>, within: Duration) -> Result<TcpStream, String> {
    let cannot = |error: &dyn std::fmt::Display| format!("cannot connect to {address}: {error}");
    let mut last = cannot(&"no such host");
    for resolved in address.to_socket_addrs().map_err(|error| cannot(&error))? {
        let connected = match receive_buffer {
            None => TcpStream::connect_timeout(&resolved, within),
            Some(size) => connect_small(resolved, size, within),
        };
        match connected {
            Ok(stream) => {
                let prepared = stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(within)));
                return prepared.map(|()| stream).map_err(|error| cannot(&error));
            }
            Err(error) => last = cannot(&error),
        }
    }
    Err(last)
}

/// The size of a receive buffer decides how large a window is offered, so it must be set before connecting.
fn connect_small(address: SocketAddr, size: usize, within: Duration) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_recv_buffer_size(size)?;
    socket.connect_timeout(&address.into(), within)?;
    Ok(socket.into())
}

impl Body {
    /// The next bytes in the pieces in which the server sent and the network delivered them; `None` at the end.
    ///
    /// # Errors
    ///
    /// If nothing comes in time, or the body ends too early or is chunked wrongly.
    pub fn piece(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            match self.framing {
                Framing::End | Framing::Length(0) => return Ok(None),
                Framing::Close => {
                    if self.raw.is_empty() && !self.fill()? {
                        self.framing = Framing::End;
                        return Ok(None);
                    }
                    return Ok(Some(self.take(u64::MAX)));
                }
                Framing::Length(left) => {
                    if self.raw.is_empty() && !self.fill()? {
                        return Err(format!("the connection ended {left} bytes before the body's Content-Length"));
                    }
                    let piece = self.take(left);
                    self.framing = Framing::Length(left.saturating_sub(piece.len() as u64));
                    return Ok(Some(piece));
                }
                Framing::ChunkHead => {
                    let line = self.raw_line()?;
                    let length = line.split(';').next().unwrap_or_default().trim();
                    let length = u64::from_str_radix(length, 16)
                        .map_err(|_| format!("{line:?} stands where a chunk's length should"))?;
                    if length == 0 {
                        while !self.raw_line()?.is_empty() {}
                        self.framing = Framing::End;
                    } else {
                        self.framing = Framing::Chunk(length);
                    }
                }
                Framing::Chunk(left) => {
                    if self.raw.is_empty() && !self.fill()? {
                        return Err(format!("the connection ended {left} bytes before a chunk's end"));
                    }
                    let piece = self.take(left);
                    let left = left.saturating_sub(piece.len() as u64);
                    self.framing = if left == 0 { Framing::ChunkEnd } else { Framing::Chunk(left) };
                    return Ok(Some(piece));
                }
                Framing::ChunkEnd => {
                    let line = self.raw_line()?;
                    if !line.is_empty() {
                        return Err(format!("{line:?} stands where a chunk should end"));
                    }
                    self.framing = Framing::ChunkHead;
                }
            }
        }
    }

    /// All that is left.
    ///
    /// # Errors
    ///
    /// Like [`Body::piece`], or if it is more than `limit`.
    pub fn all(&mut self, limit: usize) -> Result<Vec<u8>, String> {
        let mut all = Vec::new();
        while let Some(piece) = self.piece()? {
            all.extend(piece);
            if all.len() > limit {
                return Err(format!("the body is longer than {limit} bytes"));
            }
        }
        Ok(all)
    }

    /// From now on reads so many bytes a second.
    pub fn slow_down(&mut self, bytes_a_second: f64) {
        self.pace = Some((bytes_a_second.max(1.0), Instant::now(), self.received));
    }

    /// Waits that time for the server to send a byte more, which it may not; it may end the connection.
    ///
    /// # Errors
    ///
    /// If a byte comes.
    pub fn silent_for(&mut self, wait: Duration) -> Result<(), String> {
        let until = Instant::now() + wait;
        let allowed = self.started.elapsed() + wait;
        let within = std::mem::replace(&mut self.within, allowed);
        let more = if self.raw.is_empty() { self.fill() } else { Ok(true) };
        self.within = within;
        match more {
            Ok(true) => Err(format!("{} bytes came where none belong", self.raw.len())),
            Ok(false) => Ok(()),
            Err(_) if Instant::now() >= until => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn head(&mut self) -> Result<Head, String> {
        let line = self.raw_line()?;
        let mut words = line.splitn(3, ' ');
        let minor = match words.next() {
            Some("HTTP/1.0") => 0,
            Some("HTTP/1.1") => 1,
            _ => return Err(format!("the answer begins with {line:?}, not with HTTP/1")),
        };
        let status = words.next().and_then(|word| word.parse().ok()).ok_or_else(|| format!("no status in {line:?}"))?;
        let mut head = Head { minor, status, headers: Vec::new() };
        loop {
            let line = self.raw_line()?;
            if line.is_empty() {
                return Ok(head);
            }
            head.headers.push(parse_header(&line)?);
        }
    }

    fn take(&mut self, most: u64) -> Vec<u8> {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(self.raw.len());
        let rest = self.raw.split_off(most);
        std::mem::replace(&mut self.raw, rest)
    }

    fn raw_line(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.raw.iter().position(|byte| *byte == b'\n') {
                let mut line = self.take(end as u64 + 1);
                line.pop();
                if line.pop() != Some(b'\r') {
                    return Err(format!("a line does not end with CR LF: {:?}", String::from_utf8_lossy(&line)));
                }
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if self.raw.len() > LONGEST_LINE {
                return Err(format!("a line is longer than {LONGEST_LINE} bytes"));
            }
            if !self.fill()? {
                return Err("the connection ended within a line of HTTP's own".into());
            }
        }
    }

    /// Waits for more. `false` is the connection's end.
    fn fill(&mut self) -> Result<bool, String> {
        let late = |body: &Self| format!("nothing more came within {:.1?}, after {} bytes", body.within, body.received);
        let mut buffer = vec![0; if self.pace.is_some() { 4 * 1024 } else { 64 * 1024 }];
        if let Some((rate, since, before)) = self.pace {
            let due = Duration::from_secs_f64((self.received - before) as f64 / rate);
            std::thread::sleep(due.saturating_sub(since.elapsed()));
        }
        loop {
            let left = self.within.saturating_sub(self.started.elapsed());
            if left.is_zero() {
                return Err(late(self));
            }
            self.stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(length) => {
                    self.raw.extend(buffer.iter().take(length));
                    self.received += length as u64;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(late(self));
                }
                Err(error) => return Err(format!("the connection broke after {} bytes: {error}", self.received)),
            }
        }
    }
}

/// A body read by bytes and lines, whatever the pieces are in which it comes.
#[derive(Debug)]
pub struct Input {
    body: Body,
    buffer: Vec<u8>,
    position: usize,
}

impl Input {
    /// Reads a body.
    #[must_use]
    pub fn new(body: Body) -> Self {
        Self { body, buffer: Vec::new(), position: 0 }
    }

    /// Reads so many bytes a second.
    pub fn slow_down(&mut self, bytes_a_second: f64) {
        self.body.slow_down(bytes_a_second);
    }

    /// The next byte.
    ///
    /// # Errors
    ///
    /// If none comes in time, or the body has ended.
    pub fn byte(&mut self) -> Result<u8, String> {
        loop {
            if let Some(byte) = self.buffer.get(self.position) {
                self.position += 1;
                return Ok(*byte);
            }
            self.fill()?;
        }
    }

    /// All bytes until a line feed, and it.
    ///
    /// # Errors
    ///
    /// Like [`Input::byte`], or if the line is too long for a header.
    pub fn line(&mut self) -> Result<Vec<u8>, String> {
        let mut line = Vec::new();
        loop {
            let byte = self.byte()?;
            line.push(byte);
            if byte == b'\n' {
                return Ok(line);
            }
            if line.len() > LONGEST_LINE {
                let start = line.iter().take(40).copied().collect::<Vec<_>>();
                let start = String::from_utf8_lossy(&start).into_owned();
                return Err(format!("no line ends within {LONGEST_LINE} bytes, where {start:?} stands"));
            }
        }
    }

    /// So many bytes.
    ///
    /// # Errors
    ///
    /// Like [`Input::byte`].
    pub fn exact(&mut self, length: usize) -> Result<Vec<u8>, String> {
        while self.buffer.len() - self.position < length {
            self.fill()?;
        }
        let bytes = self.buffer.iter().skip(self.position).take(length).copied().collect();
        self.position += length;
        Ok(bytes)
    }

    /// So many bytes, which stay.
    ///
    /// # Errors
    ///
    /// Like [`Input::byte`].
    pub fn peek(&mut self, length: usize) -> Result<Vec<u8>, String> {
        let bytes = self.exact(length)?;
        self.position -= length;
        Ok(bytes)
    }

    fn fill(&mut self) -> Result<(), String> {
        self.buffer.drain(..self.position);
        self.position = 0;
        let piece = self.body.piece()?.ok_or("the stream ended")?;
        self.buffer.extend(piece);
        Ok(())
    }
}
