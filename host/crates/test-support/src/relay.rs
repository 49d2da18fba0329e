//! A TCP relay in front of a server, which can break connections like a network.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// How often a connection checks whether it was broken.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How a connection breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConnectionFault {
    /// Both sides get a FIN, as if the other side had stopped.
    Fin,
    /// The client gets a RST, as if the server's machine had restarted.
    Rst,
    /// Nothing arrives any more, as after a power cut.
    Silence,
}

/// A relay at a free port of 127.0.0.1. It runs until the test program exits.
pub struct Relay {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    connections: Vec<Arc<Connection>>,
    /// Connections that request a path with this prefix are closed.
    refused_prefix: Option<String>,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// The path of the last request.
    path: Mutex<String>,
    /// How the connection was broken. `Fin` after its normal end.
    fault: Mutex<Option<ConnectionFault>>,
}

impl Relay {
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let relay = Self { address, state: state.clone() };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // If the server is down, drop the client's connection.
                let Ok(server) = TcpStream::connect(server) else { continue };
                let connection =
                    Arc::new(Connection { client, server, path: Mutex::default(), fault: Mutex::default() });
                state.lock().unwrap().connections.push(connection.clone());
                let (requests, responses, state) = (connection.clone(), connection, state.clone());
                thread::spawn(move || requests.relay_requests(&state));
                thread::spawn(move || responses.relay_responses());
            }
        });
        relay
    }

    /// Breaks the connections whose last request was for a path with this prefix. Returns the number of connections.
    pub fn break_connections(&self, prefix: &str, fault: ConnectionFault) -> usize {
        let mut state = self.state.lock().unwrap();
        state.connections.retain(|connection| connection.fault.lock().unwrap().is_none());
        let is_selected = |connection: &Arc<Connection>| connection.path.lock().unwrap().starts_with(prefix);
        let (selected, others) = std::mem::take(&mut state.connections).into_iter().partition::<Vec<_>, _>(is_selected);
        state.connections = others;
        selected.iter().for_each(|connection| connection.set_fault(fault));
        selected.len()
    }

    /// Refuses requests for paths with this prefix from now on. `None` refuses no requests.
    pub fn refuse(&self, prefix: Option<&str>) {
        self.state.lock().unwrap().refused_prefix = prefix.map(str::to_owned);
    }
}

impl Connection {
    /// Relays requests. Expects each of them in one piece, as browsers send them.
    fn relay_requests(&self, state: &Mutex<State>) {
        self.relay(&self.client, &self.server, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let Some(path) = text.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()) else { return };
            *self.path.lock().unwrap() = path.to_owned();
            let is_refused = |prefix: &String| path.starts_with(prefix.as_str());
            if state.lock().unwrap().refused_prefix.as_ref().is_some_and(is_refused) {
                self.set_fault(ConnectionFault::Fin);
            }
        });
    }

    fn relay_responses(&self) {
        self.relay(&self.server, &self.client, |_| {});
    }

    /// Relays bytes until one side closes the connection or it is broken.
    fn relay(&self, mut from: &TcpStream, mut to: &TcpStream, inspect: impl Fn(&[u8])) {
        let mut buffer = [0; 64 * 1024];
        from.set_read_timeout(Some(POLL_INTERVAL)).unwrap();
        loop {
            let read = from.read(&mut buffer);
            if let Ok(length @ 1..) = read {
                inspect(&buffer[..length]);
            }
            match (*self.fault.lock().unwrap(), read) {
                // The sockets are closed, and so reset, when both directions have returned.
                (Some(ConnectionFault::Rst), _) => return,
                (Some(ConnectionFault::Fin), _) => break,
                // Both connections stay open.
                (Some(ConnectionFault::Silence), _) => thread::sleep(POLL_INTERVAL),
                (None, Ok(length @ 1..)) => {
                    if to.write_all(&buffer[..length]).is_err() {
                        break;
                    }
                }
                (None, Err(error)) if error.kind() == ErrorKind::WouldBlock => {}
                (None, _) => break,
            }
        }
        self.fault.lock().unwrap().get_or_insert(ConnectionFault::Fin);
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    fn set_fault(&self, fault: ConnectionFault) {
        if fault == ConnectionFault::Rst {
            // Closing a socket that may not linger resets the connection (socket(7), SO_LINGER).
            SockRef::from(&self.client).set_linger(Some(Duration::ZERO)).unwrap();
        }
        *self.fault.lock().unwrap() = Some(fault);
    }
}
