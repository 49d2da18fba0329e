//! One of many viewers, which parses no more of the stream than necessary.
//!
//! The kernel discards the images (recv(2), `MSG_TRUNC`), so that viewers cost less than the server.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use socket2::{Domain, SockRef, Socket, Type};

/// Discards the bytes instead of copying them (recv(2)). The value is Linux's.
pub const MSG_TRUNC: i32 = 0x20;

/// The length of what follows each image.
const TAIL: usize = b"\r\n--frame\r\n".len();

/// How many bytes are read at a time where they must be parsed. Less than an image and its head.
const PARSED: usize = 512;

/// A part that was read completely.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// When its last byte was read.
    pub at: Instant,
    /// The time from the capture of the frame to `at`.
    pub latency: Duration,
    /// `X-Sequence`, which other servers do not send.
    pub sequence: Option<u64>,
    /// Whether it has `X-Outage`, so that it shows a reason instead of the camera's picture.
    pub is_placeholder: bool,
}

pub struct Viewer {
    pub stream: TcpStream,
    address: SocketAddr,
    path: String,
    /// When the viewer began to connect.
    start: Instant,
    /// The bytes read so far of the head of the response or of a part.
    head: Vec<u8>,
    /// How many bytes of the current part are left.
    left: usize,
    /// Whether the response's head was read.
    has_head: bool,
    is_chunked: bool,
    /// How many bytes of the current chunk are left. A part may consist of several chunks.
    chunk_left: usize,
    /// The bytes read so far of the line before a chunk.
    chunk_line: Vec<u8>,
    /// When the frame of the current part was captured, since the Unix epoch.
    captured: Duration,
    sequence: Option<u64>,
    is_placeholder: bool,
    /// The time from connecting to the end of the first part.
    pub first: Option<Duration>,
    /// All parts since the last reset.
    pub parts: Vec<Received>,
    /// When the viewer has reconnected since the last reset.
    pub reconnects: Vec<Instant>,
    /// When the last part ended.
    last: Option<Instant>,
    /// The longest time between the ends of two parts.
    pub longest_gap: Duration,
}

impl Viewer {
    /// Connects and requests a stream. See [`request`].
    pub fn connect(address: SocketAddr, path: &str, receive_buffer: Option<usize>) -> Self {
        let start = Instant::now();
        Self {
            stream: request(address, path, receive_buffer),
            address,
            path: path.to_owned(),
            start,
            head: Vec::new(),
            left: 0,
            has_head: false,
            is_chunked: false,
            chunk_left: 0,
            chunk_line: Vec::new(),
            captured: Duration::ZERO,
            sequence: None,
            is_placeholder: false,
            first: None,
            parts: Vec::new(),
            reconnects: Vec::new(),
            last: None,
            longest_gap: Duration::ZERO,
        }
    }

    /// Connects again, with the same request. Keeps all counts.
    pub fn reconnect(&mut self) {
        let new = Self::connect(self.address, &self.path, None);
        let old = std::mem::replace(self, new);
        self.parts = old.parts;
        self.reconnects = old.reconnects;
        self.reconnects.push(Instant::now());
        self.last = old.last;
        self.longest_gap = old.longest_gap;
    }

    /// Resets all counts.
    pub fn reset(&mut self) {
        self.parts.clear();
        self.reconnects.clear();
        self.longest_gap = Duration::ZERO;
    }

    /// Reads everything that has arrived. Fails at the end of the stream.
    pub fn read(&mut self) -> io::Result<()> {
        self.read_some(usize::MAX).map(drop)
    }

    /// Reads what has arrived, up to about this many bytes. Returns the number of bytes read.
    pub fn read_some(&mut self, limit: usize) -> io::Result<usize> {
        let mut read = 0;
        while read < limit {
            let skippable = if self.is_chunked { self.left.min(self.chunk_left) } else { self.left };
            let skippable = skippable.min(limit - read);
            match if skippable > 0 { self.discard(skippable) } else { self.parse() } {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")),
                Ok(count) => read += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn discard(&mut self, count: usize) -> io::Result<usize> {
        // The kernel does not write to it.
        let mut buffer = [MaybeUninit::<u8>::uninit(); 1 << 18];
        let limit = count.min(buffer.len());
        let count = SockRef::from(&self.stream).recv_with_flags(&mut buffer[..limit], MSG_TRUNC)?;
        self.chunk_left = self.chunk_left.saturating_sub(count);
        self.skip(count);
        Ok(count)
    }

    /// Counts this many bytes of a part as read.
    fn skip(&mut self, count: usize) {
        self.left -= count;
        if self.left == 0 {
            let latency = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().saturating_sub(self.captured);
            let at = Instant::now();
            let Self { sequence, is_placeholder, .. } = *self;
            self.parts.push(Received { at, latency, sequence, is_placeholder });
            self.first.get_or_insert_with(|| self.start.elapsed());
            let gap = self.last.replace(at).map(|last| at - last);
            self.longest_gap = self.longest_gap.max(gap.unwrap_or_default());
        }
    }

    /// Reads and parses a few bytes.
    fn parse(&mut self) -> io::Result<usize> {
        let mut bytes = [0; PARSED];
        let count = self.stream.read(&mut bytes)?;
        let mut rest = bytes[..count].to_vec();
        if !self.has_head {
            self.head.append(&mut rest);
            let Some(end) = find(&self.head, b"\r\n\r\n") else { return Ok(count) };
            let head = String::from_utf8_lossy(&self.head[..end]).to_ascii_lowercase();
            if !head.starts_with("http/1.1 200") {
                return Err(io::Error::other(head));
            }
            self.is_chunked = head.contains("transfer-encoding: chunked");
            self.has_head = true;
            rest = self.head.split_off(end + 4);
            self.head.clear();
        }
        if self.is_chunked {
            self.parse_chunks(&rest)
        } else {
            self.parse_body(&rest)
        }
        Ok(count)
    }

    /// Parses bytes of the chunked coding.
    fn parse_chunks(&mut self, mut bytes: &[u8]) {
        while let Some(byte) = bytes.first() {
            if self.chunk_left > 0 {
                let (now, later) = bytes.split_at(self.chunk_left.min(bytes.len()));
                self.chunk_left -= now.len();
                self.parse_body(now);
                bytes = later;
                continue;
            }
            self.chunk_line.push(*byte);
            bytes = &bytes[1..];
            if *byte == b'\n' {
                // The line after a chunk is empty.
                let line = String::from_utf8(std::mem::take(&mut self.chunk_line)).unwrap();
                self.chunk_left = if line == "\r\n" { 0 } else { usize::from_str_radix(line.trim(), 16).unwrap() };
            }
        }
    }

    /// Parses bytes of the body.
    fn parse_body(&mut self, bytes: &[u8]) {
        let (image, head) = bytes.split_at(self.left.min(bytes.len()));
        if !image.is_empty() {
            self.skip(image.len());
        }
        self.head.extend(head);
        if let Some(start) = find(&self.head, b"Content-Type:")
            && let Some(length) = find(&self.head[start..], b"\r\n\r\n")
        {
            assert!(start == 0 || self.head.starts_with(b"--frame"), "a part is cut");
            let head = String::from_utf8(self.head[start..start + length].to_vec()).unwrap();
            let value = |name: &str| head.split("\r\n").find_map(|line| line.strip_prefix(name)).map(str::trim);
            self.captured = Duration::from_secs_f64(value("X-Timestamp:").unwrap().parse().unwrap());
            self.sequence = value("X-Sequence:").map(|sequence| sequence.parse().unwrap());
            self.is_placeholder = value("X-Outage:").is_some();
            let image: usize = value("Content-Length:").unwrap().parse().unwrap();
            // Less than an image, because no more is read at a time.
            let after = self.head.len() - (start + length + 4);
            self.left = image + TAIL - after;
            self.head.clear();
        }
    }
}

/// Connects to a server and requests this path. The receive buffer has this many bytes, or the system's default.
/// Returns a nonblocking stream.
pub fn request(address: SocketAddr, path: &str, receive_buffer: Option<usize>) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    // Before connecting: the connection's setup announces the window.
    receive_buffer.into_iter().for_each(|size| socket.set_recv_buffer_size(size).unwrap());
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    // In one write, like other clients.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}
