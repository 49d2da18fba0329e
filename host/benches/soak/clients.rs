//! The clients: each does one kind of thing again and again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

use hotshoe_conformance::Target;
use hotshoe_conformance::http::{Request, request};
use hotshoe_conformance::multipart::Reader;

use crate::counts::{Counts, count};
use crate::random::Random;

/// What a client does once.
type Act = fn(&mut Client<'_>);

/// How many clients there are of each kind.
const KINDS: [(usize, Act); 6] =
    [(10, watch), (3, watch_slowly), (3, vanish), (4, ask), (1, set_controls), (2, send_junk)];

const STREAMS: [&str; 6] = [
    "/video_feed/front",
    "/video_feed/yard",
    "/stream/front",
    "/?action=stream",
    "/video_feed/front?fps=3",
    "/video_feed/yard?fps=0.5",
];
const PAGES: [&str; 10] = [
    "/",
    "/snapshot/front",
    "/snapshot/yard",
    "/?action=snapshot",
    "/state",
    "/log/front",
    "/log/yard.csv",
    "/controls/front",
    "/favicon.ico",
    "/no/such/page",
];

/// All of a stream or an answer must come within this time.
const WITHIN: Duration = Duration::from_secs(30);
/// The longest answer that is read.
const LONGEST: usize = 64 << 20;
/// The longest pause of a client.
const PAUSE: Duration = Duration::from_millis(400);

struct Client<'a> {
    address: SocketAddr,
    target: Target,
    random: Random,
    counts: &'a Counts,
    stop: &'a AtomicBool,
}

/// Starts all clients. They end soon after `stop` is set.
pub fn spawn<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    address: SocketAddr,
    counts: &'env Counts,
    stop: &'scope AtomicBool,
) {
    let mut seed = 0;
    for (number, act) in KINDS {
        for _ in 0..number {
            seed += 1;
            scope.spawn(move || {
                let target = Target::new(address.to_string());
                let mut client = Client { address, target, random: Random::new(seed), counts, stop };
                while !client.has_stopped() {
                    act(&mut client);
                    client.pause(PAUSE);
                }
            });
        }
    }
}

impl Client<'_> {
    fn has_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits for a random time.
    fn pause(&mut self, longest: Duration) {
        thread::sleep(self.random.time(longest));
    }

    fn connect(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(WITHIN)).ok()?;
        stream.set_write_timeout(Some(WITHIN)).ok()?;
        Some(stream)
    }

    /// Reads so many parts of a stream.
    fn read(&self, mut reader: Reader, parts: u64) {
        self.counts.answer(Some(200));
        for _ in 0..parts {
            if self.has_stopped() {
                return;
            }
            match reader.next_part() {
                Ok(_) => count(&self.counts.parts),
                Err(_) => return count(&self.counts.failures),
            }
        }
    }
}

/// Watches for a while and closes the connection in the middle of a stream.
fn watch(client: &mut Client<'_>) {
    let path = client.random.choice(&STREAMS);
    match Reader::open(&client.target, path, WITHIN) {
        Ok(reader) => {
            let parts = 1 + client.random.below(90);
            client.read(reader, parts);
        }
        Err(_) => client.counts.answer(None),
    }
}

/// Reads 50 to 250 kB a second.
fn watch_slowly(client: &mut Client<'_>) {
    let path = client.random.choice(&STREAMS);
    let rate = 50_000.0 + client.random.below(200_000) as f64;
    match Reader::open(&client.target, path, WITHIN) {
        Ok(reader) => client.read(reader.with_rate_limit(rate), 8),
        Err(_) => client.counts.answer(None),
    }
}

/// Asks for a stream, or begins to, and does nothing else; closes the connection with data unread.
fn vanish(client: &mut Client<'_>) {
    let path = client.random.choice(&STREAMS);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", client.address);
    let Some(mut stream) = client.connect() else { return client.counts.answer(None) };
    let length = match client.random.below(3) {
        0 => client.random.below(request.len() as u64) as usize,
        _ => request.len(),
    };
    let _ = stream.write_all(&request.as_bytes()[..length]);
    // Up to a little longer than a server waits for a client that reads nothing.
    let until = std::time::Instant::now() + client.random.time(Duration::from_secs(14));
    while std::time::Instant::now() < until && !client.has_stopped() {
        client.pause(PAUSE);
    }
}

/// Asks for a page and reads all of it.
fn ask(client: &mut Client<'_>) {
    let path = client.random.choice(&PAGES);
    let method = client.random.choice(&["GET", "GET", "GET", "HEAD", "OPTIONS", "DELETE"]);
    let response = request(&client.target.address, &Request::get(path).method(method), WITHIN);
    let status = response.and_then(|mut response| {
        if method != "HEAD" {
            response.body.read_all(LONGEST)?;
        }
        Ok(response.head.status)
    });
    client.counts.answer(status.ok());
}

fn set_controls(client: &mut Client<'_>) {
    let Some(mut stream) = client.connect() else { return client.counts.answer(None) };
    let body = format!("brightness={}", client.random.below(300));
    let head = format!("POST /controls/front HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", client.address);
    let sent = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let mut answer = Vec::new();
    let read = sent.and_then(|()| stream.read_to_end(&mut answer));
    let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    client.counts.answer(status.filter(|_| read.is_ok()));
}

/// Sends what is no request.
fn send_junk(client: &mut Client<'_>) {
    let Some(mut stream) = client.connect() else { return client.counts.answer(None) };
    let bytes: Vec<u8> = match client.random.below(3) {
        0 => (0..client.random.below(20_000)).map(|_| client.random.below(256) as u8).collect(),
        1 => b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_vec(),
        _ => [b"GET /".to_vec(), vec![b'a'; client.random.below(100_000) as usize]].concat(),
    };
    let _ = stream.write_all(&bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}
