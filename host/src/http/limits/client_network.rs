//! What counts as one client.

use std::net::{IpAddr, Ipv6Addr};

/// Selects the network prefix of an IPv6 address.
const PREFIX_64: u128 = !0 << 64;

/// Returns the address that identifies a client in limits: its IPv4 address, or its IPv6 /64 network, since providers
/// assign at least a /64 to each customer (RFC 6177).
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & PREFIX_64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_clients_share_their_64_bit_network() {
        for (address, network) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(client_network(address.parse().unwrap()), network.parse::<IpAddr>().unwrap());
        }
    }
}
