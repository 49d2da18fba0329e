//! The addresses of trusted reverse proxies.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::http::peer::Peer;

/// A value of `--trusted-proxy`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TrustedProxy {
    /// `none`: adds no address.
    None,
    /// `ADDRESS` or `ADDRESS/PREFIX`: trusts every address of this network.
    Network(IpNet),
}

impl FromStr for TrustedProxy {
    type Err = &'static str;

    fn from_str(value: &str) -> Result<Self, &'static str> {
        if value == "none" {
            return Ok(Self::None);
        }
        let address = || value.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        value
            .parse::<IpNet>()
            .or_else(|_| address())
            .map(Self::Network)
            .map_err(|_| "use an address such as 192.168.1.2, a network such as 10.0.0.0/8, or none")
    }
}

/// The addresses of all trusted reverse proxies. The default trusts none.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
}

impl TrustedProxies {
    /// Trusts the networks of these options.
    pub fn new(options: &[TrustedProxy]) -> Self {
        let network = |option: &TrustedProxy| match option {
            TrustedProxy::None => None,
            TrustedProxy::Network(network) => Some(*network),
        };
        Self { networks: options.iter().filter_map(network).collect() }
    }

    /// Whether a trusted proxy has this address. IPv4-mapped IPv6 addresses count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether this peer is a trusted proxy. Clients of Unix sockets run on this machine with permission to use the
    /// socket's file, so they are trusted if any address is.
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
    fn addresses_and_networks_are_matched() {
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
    fn none_trusts_no_peer() {
        for proxies in [trusted(&["none"]), TrustedProxies::default()] {
            assert!(!proxies.contains("127.0.0.1".parse().unwrap()));
            assert!(!proxies.contains_peer(Peer::Unix));
        }
    }

    #[test]
    fn invalid_values_are_rejected() {
        for invalid in ["", "localhost", "10.0.0.0/33", "10.0.0.1:80", "None", "10.0.0/8", "*"] {
            assert!(invalid.parse::<TrustedProxy>().is_err(), "{invalid}");
        }
    }
}
