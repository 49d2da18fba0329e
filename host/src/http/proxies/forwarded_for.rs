//! The address of a client behind a reverse proxy.

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::trusted_proxies::TrustedProxies;
use crate::http::peer::Peer;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How proxies write an address that they do not know (RFC 7239, section 6.2).
const NO_ADDRESS: &str = "unknown";

/// Returns the address of the client that made a request, whether directly or through trusted proxies. `None` for a Unix
/// socket without such a proxy.
pub fn client_address(head: &Parts, proxies: &TrustedProxies) -> Option<IpAddr> {
    let peer = *head.extensions.get::<Peer>()?;
    forwarded_for(&head.headers, peer, proxies).or(peer.ip())
}

/// Returns the address of the client that made a request through trusted proxies: the last address in
/// `X-Forwarded-For`, or else in `Forwarded` (RFC 7239), that does not belong to a trusted proxy. Each proxy appends
/// the address it saw, so the client may have forged everything before that one. Returns `None` if the peer is not a
/// trusted proxy, or did not forward a valid address.
pub fn forwarded_for(headers: &HeaderMap, peer: Peer, proxies: &TrustedProxies) -> Option<IpAddr> {
    if !proxies.contains_peer(peer) {
        return None;
    }
    let addresses: Vec<_> = if headers.contains_key(X_FORWARDED_FOR) {
        elements(headers, &X_FORWARDED_FOR).map(parse_address).collect()
    } else {
        let forwarded = elements(headers, &FORWARDED);
        forwarded.map(|element| element.split(';').find_map(for_parameter).and_then(parse_address)).collect()
    };
    // Nothing before an invalid address can be trusted.
    let valid = addresses.into_iter().rev().map_while(|address| address);
    valid.into_iter().find(|address| !proxies.contains(*address))
}

/// Splits a header at its commas, ignoring quotes: otherwise a client could hide the element that a proxy appends by
/// sending an opening quote. For the same reason, an element that is not UTF-8 hides no others: it is replaced by text
/// that is no address.
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let elements = values.map(|element| str::from_utf8(element).unwrap_or(NO_ADDRESS));
    elements.map(str::trim).filter(|element| !element.is_empty())
}

/// Returns the value of a `for=` parameter.
fn for_parameter(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
}

/// Parses an address as proxies write it: with or without a port, and IPv6 with or without brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address: Option<IpAddr> = bare.parse().ok();
    address
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(peer: &str, headers: &[(&'static str, &'static str)]) -> Option<String> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        client_of_bytes(peer, &headers)
    }

    fn client_of_bytes(peer: &str, headers: &[(&'static str, &'static [u8])]) -> Option<String> {
        let proxies = TrustedProxies::new(&["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]);
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap()));
        let peer = Peer::Tcp(peer.parse().unwrap());
        forwarded_for(&headers.collect(), peer, &proxies).map(|address| address.to_string())
    }

    #[test]
    fn the_client_is_the_last_address_that_is_not_a_trusted_proxy() {
        for (name, value) in [
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-for", "198.51.100.1, 203.0.113.7"),
            ("x-forwarded-for", "198.51.100.1, 203.0.113.7:4711, 10.1.2.3"),
            ("x-forwarded-for", "unknown, 203.0.113.7"),
            ("x-forwarded-for", "::ffff:203.0.113.7"),
            ("forwarded", "for=198.51.100.1, For=203.0.113.7;proto=https;by=10.0.0.1"),
            ("forwarded", "proto=http; for=\"203.0.113.7:80\""),
            ("forwarded", "for=\", for=203.0.113.7"),
        ] {
            assert_eq!(client("127.0.0.1:1", &[(name, value)]).as_deref(), Some("203.0.113.7"), "{name}: {value}");
        }
        let ipv6 = client("127.0.0.1:1", &[("forwarded", "for=\"[2001:db8::7]:80\"")]);
        assert_eq!(ipv6.as_deref(), Some("2001:db8::7"));
    }

    /// They hid the address that the proxy had appended to the same line.
    #[test]
    fn bytes_that_are_not_text_hide_no_address() {
        for (name, value) in [
            ("x-forwarded-for", &b"\xff, 203.0.113.7"[..]),
            ("x-forwarded-for", b"198.51.100.1, 1\xe9, 203.0.113.7"),
            ("forwarded", b"for=\xff, for=203.0.113.7"),
        ] {
            assert_eq!(client_of_bytes("127.0.0.1:1", &[(name, value)]).as_deref(), Some("203.0.113.7"), "{value:?}");
        }
        assert_eq!(client_of_bytes("127.0.0.1:1", &[("x-forwarded-for", b"203.0.113.7, \xff")]), None);
    }

    #[test]
    fn headers_of_untrusted_peers_are_ignored() {
        assert_eq!(client("203.0.113.9:1", &[("x-forwarded-for", "198.51.100.1")]), None);
    }

    #[test]
    fn addresses_that_cannot_be_trusted_are_ignored() {
        for headers in [
            &[][..],
            &[("x-forwarded-for", "")],
            &[("x-forwarded-for", "198.51.100.1, unknown")],
            &[("x-forwarded-for", "10.0.0.1")],
            &[("forwarded", "for=_hidden")],
            // A proxy that sets X-Forwarded-For passes the client's Forwarded through unchanged.
            &[("x-forwarded-for", "10.0.0.1"), ("forwarded", "for=198.51.100.1")],
        ] {
            assert_eq!(client("127.0.0.1:1", headers), None, "{headers:?}");
        }
    }
}
