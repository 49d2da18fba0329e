//! HTTP as it is on the wire: clients that read every byte and accept nothing else than what was agreed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use super::DEADLINE;

/// A response.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// In the order and the spelling of the wire.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// A header's value, by its name in any case.
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

/// Connect, with deadlines on everything.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Leave without a word: the server is sent a reset, as for a client that was killed.
pub fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// GET a path.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Reply {
    request(address, "GET", path)
}

/// Make a request and read the whole response.
#[track_caller]
pub fn request(address: SocketAddr, method: &str, path: &str) -> Reply {
    let (reply, rest) = try_request(address, method, path);
    if let Err(error) = rest {
        panic!("{method} {path}: the response broke off: {error}");
    }
    reply
}

/// Make a request and read what there is of the response; the error tells how it broke off.
pub fn try_request(address: SocketAddr, method: &str, path: &str) -> (Reply, std::io::Result<()>) {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    raw_request(address, head.as_bytes(), method == "HEAD")
}

/// Make a request with these headers and this body, and read the whole response.
#[track_caller]
pub fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    send_over(connect(address), &address.to_string(), method, path, headers, body)
}

/// As [`send`], over this connection. Headers that are given replace those for the host and the length.
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

/// Send these bytes and read a response.
pub fn raw_request(address: SocketAddr, bytes: &[u8], head_only: bool) -> (Reply, std::io::Result<()>) {
    let mut stream = connect(address);
    stream.write_all(bytes).unwrap();
    read_response(&mut BufReader::new(stream), head_only)
}

/// Read a response; the error tells how it broke off.
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

/// Read a response's status and headers.
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
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a header: {line:?}"));
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// Read a line that ends with CRLF.
#[track_caller]
fn read_line(reader: &mut impl BufRead) -> String {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).unwrap();
    let line = line.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("not a line: {:?}", String::from_utf8_lossy(&line)));
    String::from_utf8(line.to_vec()).unwrap()
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> std::io::Result<()> {
    while let Some(chunk) = read_chunk(reader)? {
        body.extend(chunk);
    }
    Ok(())
}

/// Read one chunk of the chunked transfer encoding; none for the last.
fn read_chunk(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
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

/// A client that watches a multipart stream and accepts the agreed format alone.
pub struct Viewer {
    reader: BufReader<TcpStream>,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Bytes of chunks that were read; those up to `taken` were given out.
    pending: Vec<u8>,
    taken: usize,
    opened: bool,
    /// What separates the parts, without its dashes.
    boundary: String,
    /// Whether the stream has come to its proper end.
    ended: bool,
}

/// One part of a multipart stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Part {
    pub timestamp: String,
    pub jpeg: Vec<u8>,
}

impl Viewer {
    /// Start to watch; reads the response's head.
    #[track_caller]
    pub fn watch(address: SocketAddr, path: &str) -> Self {
        Self::watch_over(connect(address), path)
    }

    /// Start to watch over this connection.
    #[track_caller]
    pub fn watch_over(mut stream: TcpStream, path: &str) -> Self {
        let address = stream.peer_addr().unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let (status, headers) = read_head(&mut reader);
        let content_type = header(&headers, "content-type").unwrap_or_default();
        let boundary = content_type.split_once("boundary=").map_or("frame", |(_, boundary)| boundary).to_owned();
        Self { reader, status, headers, pending: Vec::new(), taken: 0, opened: false, boundary, ended: false }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Read one chunk of the transfer encoding: what the server sent as one piece.
    #[track_caller]
    pub fn chunk(&mut self) -> Vec<u8> {
        assert_eq!(self.taken, self.pending.len());
        read_chunk(&mut self.reader).unwrap().expect("the stream goes on")
    }

    /// Read one chunk; none if the stream has ended as it should. Panics if it broke off.
    #[track_caller]
    pub fn next_chunk(&mut self) -> Option<Vec<u8>> {
        read_chunk(&mut self.reader).unwrap()
    }

    /// Read one part. Panics at any byte that is not as agreed.
    #[track_caller]
    pub fn part(&mut self) -> Part {
        self.try_part().expect("the stream goes on")
    }

    /// Read one part. Returns `None` if the stream has ended as it should: after a whole part, with the closing delimiter
    /// and the last chunk. Panics if it ends in any other way.
    #[track_caller]
    pub fn next_part(&mut self) -> Option<Part> {
        if self.taken == self.pending.len() {
            self.read_more().expect("a part or the closing delimiter");
        }
        let closing = format!("--{}--\r\n", self.boundary);
        if self.pending[self.taken..].starts_with(closing.as_bytes()) {
            self.expect(closing.as_bytes()).unwrap();
            assert!(self.read_more().is_err() && self.ended, "the last chunk comes after the closing delimiter");
            return None;
        }
        Some(self.try_part().expect("the stream goes on, or ends between two parts"))
    }

    /// Read one part; the error tells how the stream ended.
    #[track_caller]
    pub fn try_part(&mut self) -> std::io::Result<Part> {
        if !self.opened {
            self.expect(format!("--{}\r\n", self.boundary).as_bytes())?;
            self.opened = true;
        }
        self.expect(b"Content-Type: image/jpeg\r\nContent-Length: ")?;
        let length: usize = self.take_line()?.parse().unwrap();
        self.expect(b"X-Timestamp: ")?;
        let timestamp = self.take_line()?;
        let (seconds, microseconds) = timestamp.split_once('.').unwrap();
        assert!(seconds.parse::<u64>().is_ok() && microseconds.len() == 6, "{timestamp}");
        self.expect(b"\r\n")?;
        let jpeg = self.take(length)?;
        assert!(jpeg.starts_with(&[0xFF, 0xD8]) && jpeg.ends_with(&[0xFF, 0xD9]), "a torn image");
        self.expect(format!("\r\n--{}\r\n", self.boundary).as_bytes())?;
        Ok(Part { timestamp, jpeg })
    }

    /// Leave without a word.
    pub fn reset(self) {
        reset(self.reader.into_inner());
    }

    /// Read the beginning of the next part, and no more.
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
            let rest = &self.pending[self.taken..];
            if let Some(length) = rest.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8(rest[..length].to_vec()).unwrap();
                self.taken += length + 2;
                return Ok(line);
            }
            self.read_more()?;
        }
    }

    fn take(&mut self, count: usize) -> std::io::Result<Vec<u8>> {
        while self.pending.len() - self.taken < count {
            self.read_more()?;
        }
        let bytes = self.pending[self.taken..self.taken + count].to_vec();
        self.taken += count;
        Ok(bytes)
    }

    fn read_more(&mut self) -> std::io::Result<()> {
        let Some(chunk) = read_chunk(&mut self.reader)? else {
            self.ended = true;
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        self.pending.drain(..self.taken);
        self.taken = 0;
        self.pending.extend(chunk);
        Ok(())
    }
}
