//! The client at the other end of a connection.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The client at the other end of a connection. Each request carries the peer of its connection in its extensions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peer {
    /// A TCP client.
    Tcp(SocketAddr),
    /// A client of a Unix socket, which has no address.
    Unix,
}

impl Peer {
    /// Returns the IP address, or `None` for a Unix socket. IPv4-mapped IPv6 addresses (RFC 4291, section 2.5.5.2) are
    /// returned as IPv4, so that a dual-stack listener reports the same address as an IPv4 one.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip().to_canonical()),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix => formatter.write_str("a local client"),
        }
    }
}
