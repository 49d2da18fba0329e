//! An HTTP server that a test scripts byte by byte, in the place of a camera in the network.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A server at a port of 127.0.0.1. It runs until the test program exits.
pub struct HttpServer {
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    open_connections: AtomicUsize,
    /// The heads of all requests.
    requests: Mutex<Vec<String>>,
}

/// A request, and the connection to respond on.
pub struct Exchange {
    /// The path with the query.
    pub path: String,
    /// The request line and the headers.
    pub head: String,
    pub stream: TcpStream,
}

impl HttpServer {
    /// Starts a server at a free port. `respond` is called for each request in a thread of its connection. An error
    /// closes the connection.
    pub fn start(respond: impl Fn(Exchange) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), respond)
    }

    /// Like [`start`](Self::start), at this address.
    pub fn start_at(address: SocketAddr, respond: impl Fn(Exchange) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let server = Self { address, state: state.clone() };
        let respond = Arc::new(respond);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, respond) = (state.clone(), respond.clone());
                thread::spawn(move || {
                    state.open_connections.fetch_add(1, Ordering::SeqCst);
                    // An error means that the client has left, or that the script ends the connection.
                    let _ = serve(stream, &state, &*respond);
                    state.open_connections.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// Returns a URL of this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the number of open connections. A server that only writes notices with its next write that the client
    /// has left.
    pub fn open_connections(&self) -> usize {
        self.state.open_connections.load(Ordering::SeqCst)
    }

    /// Returns the heads of all requests for paths with this start.
    pub fn requests(&self, path: &str) -> Vec<String> {
        let start = format!("GET {path}");
        self.state.requests.lock().unwrap().iter().filter(|head| head.starts_with(&start)).cloned().collect()
    }
}

fn serve(stream: TcpStream, state: &State, respond: &dyn Fn(Exchange) -> io::Result<()>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        state.requests.lock().unwrap().push(head.clone());
        respond(Exchange { path, head, stream: stream.try_clone()? })?;
    }
}

impl Exchange {
    /// Returns the value of a request header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends a response with a status, further headers, each with its line break, and a body.
    pub fn respond(&mut self, status: &str, headers: &str, body: &[u8]) -> io::Result<()> {
        self.send(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len()))?;
        self.send(body)
    }

    /// Sends the head of a stream with the boundary `frame`, which ends with the connection.
    pub fn begin_stream(&mut self) -> io::Result<()> {
        self.send("HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n--frame\r\n")
    }

    /// Sends a part with further headers, each with its line break.
    pub fn part(&mut self, headers: &str, image: &[u8]) -> io::Result<()> {
        let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n{headers}\r\n", image.len());
        self.send([head.as_bytes(), image, b"\r\n--frame\r\n"].concat())
    }

    /// Waits for the time from one frame to the next: 50 milliseconds.
    pub fn pause(&self) {
        thread::sleep(Duration::from_millis(50));
    }

    /// Waits until the client closes the connection.
    pub fn wait_for_close(&mut self) -> io::Result<()> {
        io::copy(&mut self.stream, &mut io::sink()).map(drop)
    }
}
