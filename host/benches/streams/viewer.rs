//! One viewer: it reads what a server sends, and looks at no more of it than it must.
//!
//! Images are thrown away in the kernel (recv(2), `MSG_TRUNC`), so that the viewers cost less than the server.

use std::io::{ErrorKind, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use socket2::{Domain, SockRef, Socket, Type};

/// Linux's number for it (recv(2)).
const MSG_TRUNC: i32 = 0x20;

/// What follows each image.
const TAIL: usize = b"\r\n--frame\r\n".len();

/// What is read at a time of what has to be looked at: less than an image and its head.
const LOOK: usize = 512;

pub struct Viewer {
    pub stream: TcpStream,
    /// Just before it connected.
    begun: Instant,
    /// What was read of a response's head or a part's.
    head: Vec<u8>,
    /// What is left of a part after its head.
    left: usize,
    has_begun: bool,
    is_chunked: bool,
    /// What is left of a chunk of the transfer encoding; a part may come in several.
    chunk_left: usize,
    /// What was read of the line in front of a chunk.
    chunk_line: Vec<u8>,
    /// When the part that is being read was captured.
    captured: Duration,
    /// From connecting to the first whole part.
    pub first: Option<Duration>,
    /// Of each whole part, the time from its capture until it was here.
    pub latencies: Vec<Duration>,
    /// When the last whole part was here.
    last: Option<Instant>,
    /// The longest time between two of them.
    pub longest_gap: Duration,
}

impl Viewer {
    /// Connect, and ask for a stream.
    pub fn connect(address: SocketAddr, path: &str) -> Self {
        Self::connect_with(address, path, &|_| {})
    }

    /// Connect by a socket that is set up like this, and ask for a stream.
    pub fn connect_with(address: SocketAddr, path: &str, set_up: &dyn Fn(&Socket)) -> Self {
        let begun = Instant::now();
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        set_up(&socket);
        socket.connect(&address.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        // In one piece, as all clients send it.
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self {
            stream,
            begun,
            head: Vec::new(),
            left: 0,
            has_begun: false,
            is_chunked: false,
            chunk_left: 0,
            chunk_line: Vec::new(),
            captured: Duration::ZERO,
            first: None,
            latencies: Vec::new(),
            last: None,
            longest_gap: Duration::ZERO,
        }
    }

    /// Begin to count.
    pub fn forget(&mut self) {
        self.latencies.clear();
        self.longest_gap = Duration::ZERO;
    }

    /// Read until there is nothing more for now.
    pub fn read(&mut self) {
        self.read_some(usize::MAX);
    }

    /// Read until there is nothing more for now, and no more than about this many bytes. Returns how many.
    pub fn read_some(&mut self, limit: usize) -> usize {
        let mut read = 0;
        while read < limit {
            let skippable = if self.is_chunked { self.left.min(self.chunk_left) } else { self.left };
            let skippable = skippable.min(limit - read);
            match if skippable > 0 { self.throw_away(skippable) } else { self.look() } {
                Ok(0) => panic!("the server closed the connection"),
                Ok(count) => read += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("{error}"),
            }
        }
        read
    }

    fn throw_away(&mut self, count: usize) -> std::io::Result<usize> {
        // Never written to.
        let mut nowhere = [MaybeUninit::<u8>::uninit(); 1 << 18];
        let want = count.min(nowhere.len());
        let count = SockRef::from(&self.stream).recv_with_flags(&mut nowhere[..want], MSG_TRUNC)?;
        self.chunk_left = self.chunk_left.saturating_sub(count);
        self.skip(count);
        Ok(count)
    }

    /// So much of a part after its head was read.
    fn skip(&mut self, count: usize) {
        self.left -= count;
        if self.left == 0 {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            self.latencies.push(now.saturating_sub(self.captured));
            self.first.get_or_insert_with(|| self.begun.elapsed());
            let now = Instant::now();
            let gap = self.last.replace(now).map(|last| now - last);
            self.longest_gap = self.longest_gap.max(gap.unwrap_or_default());
        }
    }

    fn look(&mut self) -> std::io::Result<usize> {
        let mut bytes = [0; LOOK];
        let count = self.stream.read(&mut bytes)?;
        let mut rest = bytes[..count].to_vec();
        if !self.has_begun {
            self.head.append(&mut rest);
            let Some(end) = find(&self.head, b"\r\n\r\n") else { return Ok(count) };
            let head = String::from_utf8_lossy(&self.head[..end]).to_ascii_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{head}");
            self.is_chunked = head.contains("transfer-encoding: chunked");
            self.has_begun = true;
            rest = self.head.split_off(end + 4);
            self.head.clear();
        }
        if self.is_chunked {
            self.take_chunks(&rest)
        } else {
            self.take(&rest)
        }
        Ok(count)
    }

    fn take_chunks(&mut self, mut bytes: &[u8]) {
        while let Some(byte) = bytes.first() {
            if self.chunk_left > 0 {
                let (now, later) = bytes.split_at(self.chunk_left.min(bytes.len()));
                self.chunk_left -= now.len();
                self.take(now);
                bytes = later;
                continue;
            }
            self.chunk_line.push(*byte);
            bytes = &bytes[1..];
            if *byte == b'\n' {
                // Empty after a chunk.
                let line = String::from_utf8(std::mem::take(&mut self.chunk_line)).unwrap();
                self.chunk_left = if line == "\r\n" { 0 } else { usize::from_str_radix(line.trim(), 16).unwrap() };
            }
        }
    }

    /// Take what is no framing.
    fn take(&mut self, bytes: &[u8]) {
        let (image, head) = bytes.split_at(self.left.min(bytes.len()));
        if !image.is_empty() {
            self.skip(image.len());
        }
        self.head.extend(head);
        if let Some(begin) = find(&self.head, b"Content-Type:")
            && let Some(length) = find(&self.head[begin..], b"\r\n\r\n")
        {
            assert!(begin == 0 || self.head.starts_with(b"--frame"), "something was torn");
            let head = String::from_utf8(self.head[begin..begin + length].to_vec()).unwrap();
            let value =
                |name: &str| head.split("\r\n").find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
            self.captured = Duration::from_secs_f64(value("X-Timestamp:").parse().unwrap());
            let image: usize = value("Content-Length:").parse().unwrap();
            // Less than an image, since no more is looked at at a time.
            let after = self.head.len() - (begin + length + 4);
            self.left = image + TAIL - after;
            self.head.clear();
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
