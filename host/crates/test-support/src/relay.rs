//! A TCP relay before a server, whose connections can be cut in the ways in which networks cut them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// How often a connection looks whether it was cut.
const GLANCE: Duration = Duration::from_millis(20);

/// How a connection is cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cut {
    /// Its end is sent, as by a server that stops.
    Fin,
    /// It is reset, as by a machine that has restarted.
    Rst,
    /// Nothing more comes, as from a machine that has lost its power.
    Silence,
}

/// A relay at a free port of 127.0.0.1. It goes on until the test program ends.
pub struct Relay {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    connections: Vec<Arc<Connection>>,
    /// Requests for paths that begin so are refused: their connection is closed.
    refused: Option<String>,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// The path of the last request.
    path: Mutex<String>,
    /// How it was cut, or that it has ended.
    cut: Mutex<Option<Cut>>,
}

impl Relay {
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let relay = Self { address, state: state.clone() };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // It is away, so the client is as well.
                let Ok(server) = TcpStream::connect(server) else { continue };
                let connection = Arc::new(Connection { client, server, path: Mutex::default(), cut: Mutex::default() });
                state.lock().unwrap().connections.push(connection.clone());
                let (requests, responses, state) = (connection.clone(), connection, state.clone());
                thread::spawn(move || requests.pass_requests(&state));
                thread::spawn(move || responses.pass_responses());
            }
        });
        relay
    }

    /// Cut the connections whose last request was for a path that begins so. Returns how many there were.
    pub fn cut(&self, path: &str, cut: Cut) -> usize {
        let mut state = self.state.lock().unwrap();
        state.connections.retain(|connection| connection.cut.lock().unwrap().is_none());
        let is_meant = |connection: &Arc<Connection>| connection.path.lock().unwrap().starts_with(path);
        let (meant, others) = std::mem::take(&mut state.connections).into_iter().partition::<Vec<_>, _>(is_meant);
        state.connections = others;
        meant.iter().for_each(|connection| connection.cut(cut));
        meant.len()
    }

    /// Refuse requests for paths that begin so; none any more with `None`.
    pub fn refuse(&self, path: Option<&str>) {
        self.state.lock().unwrap().refused = path.map(str::to_owned);
    }
}

impl Connection {
    /// Pass on what the client sends. Requests of browsers come in one piece each.
    fn pass_requests(&self, state: &Mutex<State>) {
        self.pass(&self.client, &self.server, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let Some(path) = text.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()) else { return };
            *self.path.lock().unwrap() = path.to_owned();
            let is_refused = |refused: &String| path.starts_with(refused.as_str());
            if state.lock().unwrap().refused.as_ref().is_some_and(is_refused) {
                self.cut(Cut::Fin);
            }
        });
    }

    fn pass_responses(&self) {
        self.pass(&self.server, &self.client, |_| {});
    }

    /// Pass on bytes until one side ends, or the connection is cut. With the second of these that returns it is closed.
    fn pass(&self, mut from: &TcpStream, mut to: &TcpStream, look: impl Fn(&[u8])) {
        let mut buffer = [0; 64 * 1024];
        from.set_read_timeout(Some(GLANCE)).unwrap();
        loop {
            let read = from.read(&mut buffer);
            if let Ok(length @ 1..) = read {
                look(&buffer[..length]);
            }
            match (*self.cut.lock().unwrap(), read) {
                (Some(Cut::Rst), _) => return,
                (Some(Cut::Fin), _) => break,
                // Both sides stay as they are.
                (Some(Cut::Silence), _) => thread::sleep(GLANCE),
                (None, Ok(length @ 1..)) => {
                    if to.write_all(&buffer[..length]).is_err() {
                        break;
                    }
                }
                (None, Err(error)) if error.kind() == ErrorKind::WouldBlock => {}
                (None, _) => break,
            }
        }
        self.cut.lock().unwrap().get_or_insert(Cut::Fin);
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    fn cut(&self, cut: Cut) {
        if cut == Cut::Rst {
            // Closing a connection that has no time to linger resets it (socket(7), SO_LINGER).
            SockRef::from(&self.client).set_linger(Some(Duration::ZERO)).unwrap();
        }
        *self.cut.lock().unwrap() = Some(cut);
    }
}
