//! The clients. Each of them repeats one activity.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use hotshoe_conformance::Target;
use hotshoe_conformance::http::{Request, request};
use hotshoe_conformance::multipart::Reader;
use hotshoe_test_support::random::Random;

use crate::counters::{Counters, increment};

/// One round of a client's activity.
type Activity = fn(&mut Client<'_>);

/// The number of clients for each activity.
const ACTIVITIES: [(usize, Activity); 6] = [
    (10, watch),
    (3, watch_slowly),
    (3, stop_reading),
    (4, request_page),
    (1, set_controls),
    (2, send_invalid_request),
];

const STREAM_PATHS: [&str; 6] = [
    "/video_feed/front",
    "/video_feed/yard",
    "/stream/front",
    "/?action=stream",
    "/video_feed/front?fps=3",
    "/video_feed/yard?fps=0.5",
];
const PAGE_PATHS: [&str; 10] = [
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

/// The time limit for everything that a client reads of a stream, and for a whole response.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest response accepted, in bytes.
const MAX_RESPONSE_LENGTH: usize = 64 << 20;
/// The longest pause between two rounds.
const MAX_PAUSE: Duration = Duration::from_millis(400);
/// The longest time for which a client reads nothing: a little more than the server's timeout.
const MAX_SILENCE: Duration = Duration::from_secs(14);

struct Client<'a> {
    address: SocketAddr,
    target: Target,
    random: Random,
    counters: &'a Counters,
    stop: &'a AtomicBool,
}

/// Starts all clients. They stop soon after `stop` is set.
pub fn spawn<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    address: SocketAddr,
    counters: &'env Counters,
    stop: &'scope AtomicBool,
) {
    let mut seed = 0;
    for (count, activity) in ACTIVITIES {
        for _ in 0..count {
            seed += 1;
            scope.spawn(move || {
                let target = Target::new(address.to_string());
                let mut client = Client { address, target, random: Random::new(seed), counters, stop };
                while !client.is_stopped() {
                    activity(&mut client);
                    client.pause();
                }
            });
        }
    }
}

impl Client<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Sleeps for a random time.
    fn pause(&mut self) {
        thread::sleep(self.random.duration_below(MAX_PAUSE));
    }

    fn connect(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(TIMEOUT)).ok()?;
        stream.set_write_timeout(Some(TIMEOUT)).ok()?;
        Some(stream)
    }

    /// Reads this many parts of a stream.
    fn read_parts(&self, mut reader: Reader, count: u64) {
        self.counters.count_request(Some(200));
        for _ in 0..count {
            if self.is_stopped() {
                return;
            }
            match reader.next_part() {
                Ok(_) => increment(&self.counters.parts),
                Err(_) => return increment(&self.counters.failures),
            }
        }
    }
}

/// Watches a stream and closes the connection before its end.
fn watch(client: &mut Client<'_>) {
    let path = client.random.choose(&STREAM_PATHS);
    match Reader::open(&client.target, path, TIMEOUT) {
        Ok(reader) => {
            let count = 1 + client.random.below(90);
            client.read_parts(reader, count);
        }
        Err(_) => client.counters.count_request(None),
    }
}

/// Reads a stream at 50 to 250 kB/s.
fn watch_slowly(client: &mut Client<'_>) {
    let path = client.random.choose(&STREAM_PATHS);
    let rate = 50_000.0 + client.random.below(200_000) as f64;
    match Reader::open(&client.target, path, TIMEOUT) {
        Ok(reader) => client.read_parts(reader.with_rate_limit(rate), 8),
        Err(_) => client.counters.count_request(None),
    }
}

/// Sends a request for a stream, or a part of one, and closes the connection after a while without reading anything.
fn stop_reading(client: &mut Client<'_>) {
    let path = client.random.choose(&STREAM_PATHS);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", client.address);
    let Some(mut stream) = client.connect() else { return client.counters.count_request(None) };
    let length = match client.random.below(3) {
        0 => client.random.below(request.len() as u64) as usize,
        _ => request.len(),
    };
    let _ = stream.write_all(&request.as_bytes()[..length]);
    let end = Instant::now() + client.random.duration_below(MAX_SILENCE);
    while Instant::now() < end && !client.is_stopped() {
        client.pause();
    }
}

/// Requests a page and reads the whole response.
fn request_page(client: &mut Client<'_>) {
    let path = client.random.choose(&PAGE_PATHS);
    let method = client.random.choose(&["GET", "GET", "GET", "HEAD", "OPTIONS", "DELETE"]);
    let response = request(&client.target.address, &Request::get(path).method(method), TIMEOUT);
    let status = response.and_then(|mut response| {
        if method != "HEAD" {
            response.body.read_all(MAX_RESPONSE_LENGTH)?;
        }
        Ok(response.head.status)
    });
    client.counters.count_request(status.ok());
}

fn set_controls(client: &mut Client<'_>) {
    let Some(mut stream) = client.connect() else { return client.counters.count_request(None) };
    let body = format!("brightness={}", client.random.below(300));
    let head = format!("POST /controls/front HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", client.address);
    let sent = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let mut response = Vec::new();
    let read = sent.and_then(|()| stream.read_to_end(&mut response));
    let status = response.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    client.counters.count_request(status.filter(|_| read.is_ok()));
}

/// Sends random bytes, an invalid request or an overlong one.
fn send_invalid_request(client: &mut Client<'_>) {
    let Some(mut stream) = client.connect() else { return client.counters.count_request(None) };
    let bytes: Vec<u8> = match client.random.below(3) {
        0 => (0..client.random.below(20_000)).map(|_| client.random.below(256) as u8).collect(),
        1 => b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_vec(),
        _ => [b"GET /".to_vec(), vec![b'a'; client.random.below(100_000) as usize]].concat(),
    };
    let _ = stream.write_all(&bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}
