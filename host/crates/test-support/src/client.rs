//! Strict HTTP clients, which check every byte that they receive.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::DEADLINE;

/// A response.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// Names and values, in the order and the spelling of the wire.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// Returns a header's value. Names are case-insensitive.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Connects, with timeouts for reading and writing.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Resets a connection, like a client that was killed (socket(7), `SO_LINGER`).
pub fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Requests a path with GET and reads the whole response.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Reply {
    request(address, "GET", path)
}

/// Sends a request and reads the whole response.
#[track_caller]
pub fn request(address: SocketAddr, method: &str, path: &str) -> Reply {
    let (reply, rest) = try_request(address, method, path);
    if let Err(error) = rest {
        panic!("{method} {path}: the response was truncated: {error}");
    }
    reply
}

/// Sends a request and reads as much of the response as arrives. The error says how the response was truncated.
pub fn try_request(address: SocketAddr, method: &str, path: &str) -> (Reply, std::io::Result<()>) {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    raw_request(address, head.as_bytes(), method == "HEAD")
}

/// Sends a request with headers and a body, and reads the whole response.
#[track_caller]
pub fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    send_over(connect(address), &address.to_string(), method, path, headers, body)
}

/// Like [`send`], over an open connection. `headers` take precedence over the default `Host` and `Content-Length`.
#[track_caller]
pub fn send_over(
    mut stream: impl Read + Write,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    let length = body.len().to_string();
    for (name, value) in [("Host", host), ("Content-Length", &length)] {
        if !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)) {
            head += &format!("{name}: {value}\r\n");
        }
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all((head + "\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let (reply, rest) = read_response(&mut BufReader::new(stream), method == "HEAD");
    rest.unwrap();
    reply
}

/// Sends bytes and reads a response, as [`try_request`].
pub fn raw_request(address: SocketAddr, bytes: &[u8], head_only: bool) -> (Reply, std::io::Result<()>) {
    let mut stream = connect(address);
    stream.write_all(bytes).unwrap();
    read_response(&mut BufReader::new(stream), head_only)
}

/// Reads a response. The error says how it was truncated.
fn read_response(reader: &mut impl BufRead, head_only: bool) -> (Reply, std::io::Result<()>) {
    let (status, headers) = read_head(reader);
    let mut reply = Reply { status, headers, body: Vec::new() };
    let rest = if head_only {
        reader.read_to_end(&mut reply.body).map(drop)
    } else if reply.header("transfer-encoding") == Some("chunked") {
        read_chunks(reader, &mut reply.body)
    } else if let Some(length) = reply.header("content-length") {
        reply.body.resize(length.parse().unwrap(), 0);
        reader.read_exact(&mut reply.body)
    } else {
        reader.read_to_end(&mut reply.body).map(drop)
    };
    (reply, rest)
}

/// Reads the status and headers of a response.
#[track_caller]
pub fn read_head(reader: &mut impl BufRead) -> (u16, Vec<(String, String)>) {
    let status_line = read_line(reader);
    let mut words = status_line.split(' ');
    assert!(words.next().unwrap().starts_with("HTTP/1."), "{status_line:?}");
    let status = words.next().unwrap().parse().unwrap();
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader);
        if line.is_empty() {
            return (status, headers);
        }
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("expected a header, found {line:?}"));
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// Reads a line that ends with CRLF.
#[track_caller]
fn read_line(reader: &mut impl BufRead) -> String {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).unwrap();
    let line = line.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("no CRLF: {:?}", String::from_utf8_lossy(&line)));
    String::from_utf8(line.to_vec()).unwrap()
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> std::io::Result<()> {
    while let Some(chunk) = read_chunk(reader)? {
        body.extend(chunk);
    }
    Ok(())
}

/// Reads a chunk of the chunked transfer coding. Returns `None` for the last chunk.
pub fn read_chunk(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let size = usize::from_str_radix(line.strip_suffix("\r\n").unwrap(), 16).unwrap();
    let mut chunk = vec![0; size + 2];
    reader.read_exact(&mut chunk)?;
    assert!(chunk.ends_with(b"\r\n"));
    chunk.truncate(size);
    Ok((size > 0).then_some(chunk))
}

/// A client that reads a multipart stream and panics at any deviation from the format.
pub struct Viewer<S = TcpStream> {
    reader: BufReader<S>,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Data of the chunks read so far. The first `consumed` bytes were returned.
    buffer: Vec<u8>,
    consumed: usize,
    /// Whether the boundary at the start of the body was read.
    is_opened: bool,
    /// The boundary, without the leading dashes.
    boundary: String,
    /// Whether the last chunk was read.
    has_ended: bool,
}

/// One part of a multipart stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Part {
    pub timestamp: String,
    /// The headers after X-Timestamp.
    pub headers: Vec<(String, String)>,
    pub jpeg: Vec<u8>,
}

impl Part {
    /// Returns the value of a header after X-Timestamp.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Returns X-Sequence.
    #[track_caller]
    pub fn sequence(&self) -> u64 {
        self.header("x-sequence").unwrap().parse().unwrap()
    }
}

impl Viewer {
    /// Requests a stream and reads the head of the response.
    #[track_caller]
    pub fn watch(address: SocketAddr, path: &str) -> Self {
        Self::watch_over(connect(address), path)
    }

    /// Like [`Viewer::watch`], over an open connection.
    #[track_caller]
    pub fn watch_over(stream: TcpStream, path: &str) -> Self {
        Self::watch_with(stream, path, &[])
    }

    /// Like [`Viewer::watch_over`], with additional headers.
    #[track_caller]
    pub fn watch_with(stream: TcpStream, path: &str, headers: &[(&str, &str)]) -> Self {
        let address = stream.peer_addr().unwrap();
        Self::watch_through(stream, &address.to_string(), path, headers)
    }

    /// Resets the connection.
    pub fn reset(self) {
        reset(self.reader.into_inner());
    }
}

impl<S: Read + Write> Viewer<S> {
    /// Like [`Viewer::watch_with`], over a connection of any kind.
    #[track_caller]
    pub fn watch_through(mut stream: S, address: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let (status, headers) = read_head(&mut reader);
        let content_type = header(&headers, "content-type").unwrap_or_default();
        let boundary = content_type.split_once("boundary=").map_or("frame", |(_, boundary)| boundary).to_owned();
        Self { reader, status, headers, buffer: Vec::new(), consumed: 0, is_opened: false, boundary, has_ended: false }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Reads a chunk of the transfer coding, which the server sent in one piece.
    #[track_caller]
    pub fn chunk(&mut self) -> Vec<u8> {
        assert_eq!(self.consumed, self.buffer.len());
        read_chunk(&mut self.reader).unwrap().expect("the stream goes on")
    }

    /// Reads chunks up to the first that satisfies `is_expected`. Panics if there is none before the deadline.
    #[track_caller]
    pub fn skip_to(&mut self, is_expected: impl Fn(&[u8]) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_expected(&self.chunk()) {
            assert!(Instant::now() < deadline, "the chunk does not arrive");
        }
    }

    /// Reads a chunk. Returns `None` at the end of the stream. Panics if the stream is truncated.
    #[track_caller]
    pub fn next_chunk(&mut self) -> Option<Vec<u8>> {
        read_chunk(&mut self.reader).unwrap()
    }

    /// Reads a part. Panics if the stream ends.
    #[track_caller]
    pub fn part(&mut self) -> Part {
        self.try_part().expect("the stream goes on")
    }

    /// Reads a part. Returns `None` at the end of the stream, which must consist of the closing delimiter and the last
    /// chunk, after a complete part.
    #[track_caller]
    pub fn next_part(&mut self) -> Option<Part> {
        if self.consumed == self.buffer.len() {
            self.read_more().expect("a part or the closing delimiter");
        }
        let closing = format!("--{}--\r\n", self.boundary);
        if self.buffer[self.consumed..].starts_with(closing.as_bytes()) {
            self.expect(closing.as_bytes()).unwrap();
            assert!(self.read_more().is_err() && self.has_ended, "the last chunk follows the closing delimiter");
            return None;
        }
        Some(self.try_part().expect("the stream continues, or ends between two parts"))
    }

    /// Reads a part. The error says how the stream ended.
    #[track_caller]
    pub fn try_part(&mut self) -> std::io::Result<Part> {
        if !self.is_opened {
            self.expect(format!("--{}\r\n", self.boundary).as_bytes())?;
            self.is_opened = true;
        }
        self.expect(b"Content-Type: image/jpeg\r\nContent-Length: ")?;
        let length: usize = self.take_line()?.parse().unwrap();
        self.expect(b"X-Timestamp: ")?;
        let timestamp = self.take_line()?;
        let (seconds, microseconds) = timestamp.split_once('.').unwrap();
        assert!(seconds.parse::<u64>().is_ok() && microseconds.len() == 6, "{timestamp}");
        let mut headers = Vec::new();
        loop {
            let line = self.take_line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("expected a header, found {line:?}"));
            headers.push((name.to_owned(), value.to_owned()));
        }
        let jpeg = self.take(length)?;
        assert!(jpeg.starts_with(&[0xFF, 0xD8]) && jpeg.ends_with(&[0xFF, 0xD9]), "a truncated image");
        self.expect(format!("\r\n--{}\r\n", self.boundary).as_bytes())?;
        Ok(Part { timestamp, headers, jpeg })
    }

    /// Returns the connection.
    pub fn into_inner(self) -> S {
        self.reader.into_inner()
    }

    /// Reads 100 bytes of the next part, and no more.
    pub fn begin_part(&mut self) {
        self.reader.read_exact(&mut [0; 100]).unwrap();
    }

    #[track_caller]
    fn expect(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let found = self.take(bytes.len())?;
        assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(bytes));
        Ok(())
    }

    fn take_line(&mut self) -> std::io::Result<String> {
        loop {
            let rest = &self.buffer[self.consumed..];
            if let Some(length) = rest.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8(rest[..length].to_vec()).unwrap();
                self.consumed += length + 2;
                return Ok(line);
            }
            self.read_more()?;
        }
    }

    fn take(&mut self, count: usize) -> std::io::Result<Vec<u8>> {
        while self.buffer.len() - self.consumed < count {
            self.read_more()?;
        }
        let bytes = self.buffer[self.consumed..self.consumed + count].to_vec();
        self.consumed += count;
        Ok(bytes)
    }

    fn read_more(&mut self) -> std::io::Result<()> {
        let Some(chunk) = read_chunk(&mut self.reader)? else {
            self.has_ended = true;
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        self.buffer.extend(chunk);
        Ok(())
    }
}
