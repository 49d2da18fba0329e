//! The listeners of a server, which accept connections as one.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use rustix::io::Errno;
use tokio::net::TcpListener;

use super::address::ListenAddress;
use super::error::ListenError;
use super::tcp::{bind, bind_dual_stack};
use super::unix::{SocketAccess, UnixSocketListener};
use crate::http::peer::Peer;
use crate::http::stream::Connection;

/// How many ephemeral ports of 127.0.0.1 to try until one is also free on ::1.
const EPHEMERAL_PORT_ATTEMPTS: usize = 16;

/// Listeners that accept connections as one, in round-robin order.
pub struct Listeners {
    listeners: Vec<Listener>,
    /// The listener to poll first, so that a busy one cannot starve the others.
    next: AtomicUsize,
}

/// A socket that listens at one address.
enum Listener {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixSocketListener),
}

impl Listeners {
    /// Listens at all these addresses. `option` is the command line option they came from, for errors; `access` applies
    /// to Unix sockets. Must be called within a Tokio runtime.
    pub fn bind(addresses: &[ListenAddress], option: &'static str, access: SocketAccess) -> Result<Self, ListenError> {
        let mut listeners = Vec::new();
        for address in addresses {
            let failed = |address: String| move |error| ListenError::new(error, address, option);
            match address {
                ListenAddress::Tcp(tcp) => listeners.push(listen_tcp(*tcp).map_err(failed(address.to_string()))?),
                ListenAddress::Localhost(port) => {
                    listeners.extend(listen_localhost(*port).map_err(failed(address.to_string()))?);
                }
                ListenAddress::AllAddresses(port) => {
                    listeners.push(listen_all_addresses(*port).map_err(failed(address.to_string()))?);
                }
                ListenAddress::Unix(path) => {
                    let listener = UnixSocketListener::bind(path, access);
                    listeners.push(Listener::Unix(listener.map_err(failed(path.display().to_string()))?));
                }
            }
        }
        Ok(Self { listeners, next: AtomicUsize::new(0) })
    }

    /// Returns a URL for each listener: `http://ADDRESS:PORT/`, or `unix:PATH`.
    pub fn urls(&self) -> impl Iterator<Item = String> {
        self.listeners.iter().map(ToString::to_string)
    }

    /// Waits for the next connection. Cancel safe: dropping the future loses no connection.
    pub async fn accept(&self) -> io::Result<(Connection, Peer)> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Connection, Peer)>> {
        let (first, count) = (self.next.fetch_add(1, Ordering::Relaxed), self.listeners.len());
        for offset in 0..count {
            let listener = self.listeners.get(first.wrapping_add(offset) % count);
            if let Some(Poll::Ready(accepted)) = listener.map(|listener| listener.poll_accept(context)) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

impl Listener {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Connection, Peer)>> {
        match self {
            Self::Tcp(listener, _) => {
                let accepted = listener.poll_accept(context);
                accepted.map_ok(|(stream, address)| (Connection::new(stream), Peer::Tcp(address)))
            }
            Self::Unix(listener) => {
                listener.poll_accept(context).map_ok(|stream| (Connection::new(stream), Peer::Unix))
            }
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(_, address) => {
                let mut address = *address;
                // Browsers cannot open an unspecified address.
                if address.ip().is_unspecified() {
                    address.set_ip(match address {
                        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                    });
                }
                write!(formatter, "http://{address}/")
            }
            Self::Unix(listener) => write!(formatter, "unix:{}", listener.path().display()),
        }
    }
}

fn listen_tcp(address: SocketAddr) -> io::Result<Listener> {
    with_address(bind(address)?)
}

fn with_address(listener: TcpListener) -> io::Result<Listener> {
    let address = listener.local_addr()?;
    Ok(Listener::Tcp(listener, address))
}

/// Listens at the same port of 127.0.0.1 and ::1, or of the one that this machine has.
fn listen_localhost(port: u16) -> io::Result<Vec<Listener>> {
    // An ephemeral port that is free on 127.0.0.1 may be in use on ::1.
    let attempts = if port == 0 { EPHEMERAL_PORT_ATTEMPTS } else { 1 };
    let mut result = Err(io::ErrorKind::AddrInUse.into());
    for _ in 0..attempts {
        result = listen_localhost_once(port);
        if !matches!(&result, Err(error) if error.kind() == io::ErrorKind::AddrInUse) {
            break;
        }
    }
    result
}

fn listen_localhost_once(port: u16) -> io::Result<Vec<Listener>> {
    let ipv6 = |port| listen_tcp((Ipv6Addr::LOCALHOST, port).into());
    let ipv4 = match listen_tcp((Ipv4Addr::LOCALHOST, port).into()) {
        Err(error) if is_unavailable(&error) => return Ok(vec![ipv6(port)?]),
        result => result?,
    };
    let port = match &ipv4 {
        Listener::Tcp(_, address) => address.port(),
        Listener::Unix(_) => port,
    };
    match ipv6(port) {
        Err(error) if is_unavailable(&error) => Ok(vec![ipv4]),
        result => Ok(vec![ipv4, result?]),
    }
}

/// Listens at a port of all addresses: with one dual-stack socket, or at IPv4 only on a machine without IPv6.
fn listen_all_addresses(port: u16) -> io::Result<Listener> {
    match bind_dual_stack(port) {
        Err(error) if is_unavailable(&error) => listen_tcp((Ipv4Addr::UNSPECIFIED, port).into()),
        result => with_address(result?),
    }
}

/// Whether this machine lacks the address: IPv6 may be disabled, or not built into the kernel.
fn is_unavailable(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT))
}
