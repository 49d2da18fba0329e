//! The address at which other machines reach this one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Addresses reserved for documentation (RFC 5737 and RFC 3849). Packets to them take the default route.
const ELSEWHERE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// The port for traffic that is discarded (RFC 863). Nothing is sent.
const DISCARD_PORT: u16 = 9;

/// Returns the address from which this machine sends packets to others, the IPv4 address if it has both. Returns `None`
/// if it has no default route.
pub(super) fn own_address() -> Option<IpAddr> {
    ELSEWHERE.into_iter().find_map(|elsewhere| {
        let any: IpAddr = if elsewhere.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
        // Chooses a route, and with it the address, without sending a packet (udp(7)).
        socket.connect((elsewhere, DISCARD_PORT)).ok()?;
        let own = socket.local_addr().ok()?.ip();
        (!own.is_loopback() && !own.is_unspecified()).then_some(own)
    })
}
