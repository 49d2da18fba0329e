//! All the places that a server listens at, as one listener.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use rustix::io::Errno;
use tokio::net::TcpListener;

use super::address::ListenAddress;
use super::tcp::{ListenError, SocketAccess, UnixSocketListener, bind, bind_dual_stack, listen_local};
use crate::http::peer::Peer;
use crate::http::stream::line::Connection;

/// How often a free port is looked for that is free on both 127.0.0.1 and ::1.
const FREE_PORT_TRIES: usize = 16;

/// Listeners that are served as one. Connections are taken from all of them in turn.
pub struct Listeners {
    all: Vec<BoundListener>,
    /// The one that is asked first next time, so that a busy one cannot starve the others.
    next: AtomicUsize,
}

/// A listener at one address.
pub enum BoundListener {
    /// At this TCP address.
    Tcp(TcpListener, SocketAddr),
    /// At a path.
    Unix(UnixSocketListener),
}

impl Listeners {
    /// Listen at all these addresses, which were given by `option`. `access` is who may use Unix sockets. Must be called
    /// inside a Tokio runtime.
    pub fn bind(addresses: &[ListenAddress], option: &'static str, access: SocketAccess) -> Result<Self, ListenError> {
        let mut all = Vec::new();
        for address in addresses {
            match address {
                ListenAddress::Tcp(address) => all.push(tcp(*address, option)?),
                ListenAddress::Localhost(port) => all.extend(localhost(*port, option)?),
                ListenAddress::AllAddresses(port) => all.push(all_addresses(*port, option)?),
                ListenAddress::Unix(path) => all.push(BoundListener::Unix(listen_local(path, option, access)?)),
            }
        }
        Ok(Self { all, next: AtomicUsize::new(0) })
    }

    /// Where they listen, as URLs to open.
    pub fn urls(&self) -> impl Iterator<Item = String> {
        self.all.iter().map(ToString::to_string)
    }

    /// Wait for a client. Dropping the future loses none.
    pub async fn accept(&self) -> io::Result<(Connection, Peer)> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Connection, Peer)>> {
        let (first, count) = (self.next.fetch_add(1, Ordering::Relaxed), self.all.len());
        for offset in 0..count {
            let listener = self.all.get(first.wrapping_add(offset) % count);
            if let Some(Poll::Ready(accepted)) = listener.map(|listener| listener.poll_accept(context)) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

impl BoundListener {
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

impl fmt::Display for BoundListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(_, address) => {
                let mut address = *address;
                // All addresses are no address to connect to.
                if address.ip().is_unspecified() {
                    address.set_ip(match address {
                        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                    });
                }
                write!(f, "http://{address}/")
            }
            Self::Unix(listener) => write!(f, "unix:{}", listener.path().display()),
        }
    }
}

/// Listen at one TCP address.
fn tcp(address: SocketAddr, option: &'static str) -> Result<BoundListener, ListenError> {
    bound(bind(address)).map_err(|source| ListenError::new(source, address.to_string(), option))
}

fn bound(listener: io::Result<TcpListener>) -> io::Result<BoundListener> {
    let listener = listener?;
    let address = listener.local_addr()?;
    Ok(BoundListener::Tcp(listener, address))
}

/// Listen at 127.0.0.1 and at ::1, as far as this machine has them, at the same port.
fn localhost(port: u16, option: &'static str) -> Result<Vec<BoundListener>, ListenError> {
    // A port that is free at one of them need not be at the other.
    let tries = if port == 0 { FREE_PORT_TRIES } else { 1 };
    let mut result = Err(io::ErrorKind::AddrInUse.into());
    for _ in 0..tries {
        result = localhost_once(port);
        if !matches!(&result, Err(error) if error.kind() == io::ErrorKind::AddrInUse) {
            break;
        }
    }
    result.map_err(|source| ListenError::new(source, format!("localhost:{port}"), option))
}

fn localhost_once(port: u16) -> io::Result<Vec<BoundListener>> {
    let (ipv4, ipv6) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    let first = match bound(bind(SocketAddr::new(ipv4, port))) {
        Err(error) if is_unavailable(&error) => return Ok(vec![bound(bind(SocketAddr::new(ipv6, port)))?]),
        result => result?,
    };
    let port = match &first {
        BoundListener::Tcp(_, address) => address.port(),
        BoundListener::Unix(_) => port,
    };
    match bound(bind(SocketAddr::new(ipv6, port))) {
        Err(error) if is_unavailable(&error) => Ok(vec![first]),
        second => Ok(vec![first, second?]),
    }
}

/// Listen at all addresses, IPv6 and IPv4 by one socket; or at those of IPv4 on a machine without IPv6.
fn all_addresses(port: u16, option: &'static str) -> Result<BoundListener, ListenError> {
    let listener = match bound(bind_dual_stack(port)) {
        Err(error) if is_unavailable(&error) => bound(bind((Ipv4Addr::UNSPECIFIED, port).into())),
        result => result,
    };
    listener.map_err(|source| ListenError::new(source, format!(":{port}"), option))
}

/// Whether this machine has no such address: IPv6 may be turned off, or not be built into the kernel.
fn is_unavailable(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT))
}
