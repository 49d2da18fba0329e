//! Reverse proxies whose forwarding headers are believed.
//!
//! A reverse proxy hides the client: every connection comes from the proxy's address, and `Host` may be rewritten.
//! `Forwarded` (RFC 7239) and `X-Forwarded-*` tell what the proxy saw, but any client can send them too. They count only
//! if the connection itself comes from a trusted address.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::http::peer::Peer;

/// The value of one `--trusted-proxy` option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TrustedProxy {
    /// `none`: trust nobody beyond the other options.
    None,
    /// `ADDRESS` or `ADDRESS/PREFIX`: trust every address of this network.
    Network(IpNet),
}

impl FromStr for TrustedProxy {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        if value == "none" {
            return Ok(Self::None);
        }
        let address = || value.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        value.parse::<IpNet>().or_else(|_| address()).map(Self::Network).map_err(|_| {
            format!("`{value}` is not an address; give one such as 192.168.1.2, a network such as 10.0.0.0/8, or none")
        })
    }
}

/// The addresses of all trusted reverse proxies.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
}

impl TrustedProxies {
    /// Trust the networks of these options.
    pub fn new(options: &[TrustedProxy]) -> Self {
        let network = |option: &TrustedProxy| match option {
            TrustedProxy::None => None,
            TrustedProxy::Network(network) => Some(*network),
        };
        Self { networks: options.iter().filter_map(network).collect() }
    }

    /// Whether this address is a trusted proxy's. An IPv4-mapped IPv6 address counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether this peer is a trusted proxy. A client of a Unix socket runs on this machine with the right to use the
    /// socket's file, so it is trusted unless nobody is.
    pub fn contains_peer(&self, peer: Peer) -> bool {
        peer.ip().map_or(!self.networks.is_empty(), |address| self.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(options: &[&str]) -> TrustedProxies {
        TrustedProxies::new(&options.iter().map(|option| option.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn addresses_and_networks_contain_what_they_say() {
        let proxies = trusted(&["127.0.0.0/8", "::1", "192.168.1.7", "10.0.0.0/8", "fd00::/8"]);
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "192.168.1.7", "10.255.0.1", "fd12::3"] {
            assert!(proxies.contains(address.parse().unwrap()), "{address}");
        }
        for address in ["128.0.0.1", "::2", "192.168.1.8", "11.0.0.1", "fe80::1", "::ffff:8.8.8.8"] {
            assert!(!proxies.contains(address.parse().unwrap()), "{address}");
        }
        assert!(proxies.contains_peer(Peer::Unix));
    }

    #[test]
    fn none_trusts_nobody() {
        for proxies in [trusted(&["none"]), TrustedProxies::default()] {
            assert!(!proxies.contains("127.0.0.1".parse().unwrap()));
            assert!(!proxies.contains_peer(Peer::Unix));
        }
    }

    #[test]
    fn anything_else_is_an_error() {
        for wrong in ["", "localhost", "10.0.0.0/33", "10.0.0.1:80", "None", "10.0.0/8", "*"] {
            assert!(wrong.parse::<TrustedProxy>().is_err(), "{wrong}");
        }
    }
}
