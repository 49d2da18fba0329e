//! Which addresses the host connects to.
//!
//! A guest, or whoever controls a listed name, could make a name resolve to this machine or its network (DNS rebinding;
//! cloud servers have their credentials at 169.254.169.254). So a name counts only as far as it resolves to public
//! addresses, and to addresses that the operator has listed with it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use tokio::sync::Semaphore;
use url::Host;

use super::destination::Destination;

/// How many names are resolved at a time. The system's resolver blocks a thread, often for ten seconds and more, and
/// cannot be interrupted.
const MAX_LOOKUPS: usize = 4;

/// How many addresses of a name are used.
const MAX_ADDRESSES: usize = 8;

/// Why there is no address to connect to.
#[derive(Debug, thiserror::Error)]
pub(super) enum AddressError {
    /// The name does not resolve.
    #[error("the name cannot be resolved: {0}")]
    Lookup(io::Error),
    /// The name has no address.
    #[error("the name has no address")]
    NoAddress,
    /// The name resolves only to addresses that are not allowed.
    #[error("its address {0} is not public; allow it with --allow-outgoing {1}={0}")]
    NotPublic(IpAddr, String),
}

/// Resolves names.
#[derive(Clone)]
pub(super) struct Resolver {
    lookups: Arc<Semaphore>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self { lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)) }
    }
}

impl Resolver {
    /// Returns the addresses that requests to this destination may be sent to, at least one.
    pub(super) async fn resolve(&self, destination: &Destination) -> Result<Vec<SocketAddr>, AddressError> {
        let port = destination.port();
        let name = match destination.origin.host() {
            // The operator has listed the address itself.
            Host::Ipv4(address) => return Ok(vec![(*address, port).into()]),
            Host::Ipv6(address) => return Ok(vec![(*address, port).into()]),
            Host::Domain(name) => name.clone(),
        };
        let closed = |_| AddressError::Lookup(io::ErrorKind::Interrupted.into());
        let permit = self.lookups.clone().acquire_owned().await.map_err(closed)?;
        let lookup = tokio::task::spawn_blocking(move || {
            // Held until the lookup has ended, even if the guest no longer waits for it.
            let _permit = permit;
            (name, port).to_socket_addrs().map(|addresses| addresses.take(MAX_ADDRESSES).collect::<Vec<_>>())
        });
        let lookup = lookup.await.map_err(|error| AddressError::Lookup(error.into()))?;
        allowed(lookup.map_err(AddressError::Lookup)?, destination)
    }
}

/// Those of the addresses that are allowed, at least one.
fn allowed(addresses: Vec<SocketAddr>, destination: &Destination) -> Result<Vec<SocketAddr>, AddressError> {
    let first = *addresses.first().ok_or(AddressError::NoAddress)?;
    let allowed: Vec<_> =
        addresses.into_iter().filter(|address| is_public(address.ip()) || destination.lists(address.ip())).collect();
    if allowed.is_empty() {
        return Err(AddressError::NotPublic(first.ip().to_canonical(), destination.origin.to_string()));
    }
    Ok(allowed)
}

/// Whether an address can be reached from anywhere, by the registries for special purposes (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !match address.octets() {
        // This host, private (RFC 1918), loopback.
        [0 | 10 | 127, ..] => true,
        // Shared by customers of a provider (RFC 6598).
        [100, 64..=127, ..] => true,
        // Link-local, with the metadata service of cloud servers.
        [169, 254, ..] => true,
        [172, 16..=31, ..] => true,
        // IETF assignments, documentation, the former 6to4 anycast.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] => true,
        [192, 168, ..] => true,
        // Benchmarks, documentation.
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // NAT64 (RFC 6052): as public as the IPv4 address in it.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // IETF assignments with Teredo, documentation, 6to4 (whose IPv4 address may be private), documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast. Loopback, unique local, link-local, site-local and multicast are outside.
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_anyone_can_reach_are_public() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.1.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2606:4700::1111",
            "2a00::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }

    #[test]
    fn private_addresses_of_a_name_are_used_only_if_they_are_listed() {
        let addresses = |list: &[&str]| list.iter().map(|ip| (ip.parse::<IpAddr>().unwrap(), 80).into()).collect();
        let check = |destination: &str, list: &[&str]| {
            allowed(addresses(list), &destination.parse().unwrap()).map_err(|error| error.to_string())
        };
        let mixed = ["127.0.0.1", "1.1.1.1", "192.168.1.20", "::ffff:192.168.1.21"];
        assert_eq!(check("http://a.example", &mixed).unwrap(), addresses(&["1.1.1.1"]));
        assert_eq!(
            check("http://a.example=192.168.1.0/24", &mixed).unwrap(),
            addresses(&["1.1.1.1", "192.168.1.20", "::ffff:192.168.1.21"])
        );
        assert_eq!(
            check("http://a.example=192.168.1.21", &["127.0.0.1"]).unwrap_err(),
            "its address 127.0.0.1 is not public; allow it with --allow-outgoing http://a.example=127.0.0.1"
        );
        assert_eq!(check("http://a.example", &[]).unwrap_err(), "the name has no address");
    }

    #[tokio::test]
    async fn an_origin_with_an_address_is_not_resolved() {
        let resolver = Resolver::default();
        let destination = "http://127.0.0.1:8123".parse().unwrap();
        assert_eq!(resolver.resolve(&destination).await.unwrap(), ["127.0.0.1:8123".parse().unwrap()]);
    }
}
