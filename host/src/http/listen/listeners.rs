//! The listeners of a server, which accept connections as one.

use std::cell::LazyCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::net::{TcpListener, UnixStream};
use tokio::sync::mpsc;

use super::own_address::own_address;
use super::unix::UnixSocketListener;
use crate::http::peer::Peer;
use crate::http::socket::Socket;
use crate::http::stream::Connection;
use crate::http::tls::TlsConfig;

/// How many connections of the server to itself may wait to be accepted.
const SELF_CONNECTIONS: usize = 1;

/// Listeners that accept connections as one, in round-robin order.
pub struct Listeners {
    listeners: Vec<Listener>,
    /// The listener to poll first, so that a busy one cannot starve the others.
    next: AtomicUsize,
}

/// Where connections at one address come from, and what they speak.
pub(super) struct Listener {
    source: Source,
    /// `None` without TLS.
    tls: Option<TlsConfig>,
}

pub(super) enum Source {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixSocketListener),
    /// The server itself.
    Internal(Mutex<mpsc::Receiver<UnixStream>>),
}

/// Opens connections of a server to itself, which are accepted and served like all others.
pub struct SelfConnector(mpsc::Sender<UnixStream>);

impl SelfConnector {
    /// Waits until there is room for another connection, and opens it. Must be called within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if the server no longer accepts connections, or too few files are left.
    pub async fn connect(&self) -> io::Result<UnixStream> {
        let (client, server) = UnixStream::pair()?;
        self.0.send(server).await.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(client)
    }
}

impl Listeners {
    pub(super) fn new(listeners: Vec<Listener>) -> Self {
        Self { listeners, next: AtomicUsize::new(0) }
    }

    /// Lets the server connect to itself.
    pub fn self_connector(&mut self) -> SelfConnector {
        let (sender, receiver) = mpsc::channel(SELF_CONNECTIONS);
        self.listeners.push(Listener::new(Source::Internal(Mutex::new(receiver)), None));
        SelfConnector(sender)
    }

    /// Returns a URL for each listener: `http://ADDRESS:PORT/`, `https://ADDRESS:PORT/`, or `unix:PATH`.
    pub fn urls(&self) -> impl Iterator<Item = String> {
        let external = self.listeners.iter().filter(|listener| !matches!(listener.source, Source::Internal(_)));
        external.map(ToString::to_string)
    }

    /// Returns a URL for other machines for each listener at all addresses of this one, if this machine has a network.
    pub fn urls_for_others(&self) -> Vec<String> {
        // Not needed by most servers.
        let own = LazyCell::new(own_address);
        self.listeners.iter().filter_map(|listener| listener.url_for_others(|| *own)).collect()
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
    pub(super) fn new(source: Source, tls: Option<TlsConfig>) -> Self {
        Self { source, tls }
    }

    /// Returns the URL of this listener with another address, if it accepts connections to all addresses.
    fn url_for_others(&self, own_address: impl FnOnce() -> Option<IpAddr>) -> Option<String> {
        let Source::Tcp(_, address) = &self.source else { return None };
        if !address.ip().is_unspecified() {
            return None;
        }
        // An IPv6 socket also accepts connections to IPv4 addresses.
        let own = own_address().filter(|own| address.is_ipv6() || own.is_ipv4())?;
        Some(self.url(SocketAddr::new(own, address.port())))
    }

    fn url(&self, address: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}/")
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Connection, Peer)>> {
        let accepted = match &self.source {
            Source::Tcp(listener, _) => {
                listener.poll_accept(context).map_ok(|(stream, address)| (Socket::from(stream), Peer::Tcp(address)))
            }
            Source::Unix(listener) => listener.poll_accept(context).map_ok(|stream| (Socket::from(stream), Peer::Unix)),
            // No code that runs under the lock can leave the data inconsistent.
            Source::Internal(receiver) => {
                match receiver.lock().unwrap_or_else(PoisonError::into_inner).poll_recv(context) {
                    Poll::Ready(Some(stream)) => Poll::Ready(Ok((Socket::from(stream), Peer::Unix))),
                    Poll::Ready(None) | Poll::Pending => Poll::Pending,
                }
            }
        };
        accepted.map(|accepted| {
            let (socket, peer) = accepted?;
            let connection = match &self.tls {
                Some(config) => Connection::with_tls(socket, config)?,
                None => Connection::new(socket),
            };
            Ok((connection, peer))
        })
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Tcp(_, address) => {
                let mut address = *address;
                // Browsers cannot open an unspecified address.
                if address.ip().is_unspecified() {
                    address.set_ip(match address {
                        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                    });
                }
                formatter.write_str(&self.url(address))
            }
            Source::Unix(listener) => {
                let tls = if self.tls.is_some() { "tls:" } else { "" };
                write!(formatter, "{tls}unix:{}", listener.path().display())
            }
            Source::Internal(_) => formatter.write_str("internal"),
        }
    }
}
