//! The client's address behind a reverse proxy.

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

use super::trusted_proxies::TrustedProxies;
use crate::http::peer::Peer;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client of a request that a trusted proxy forwarded: the last one in `X-Forwarded-For`, or else in
/// `Forwarded` (RFC 7239), that is not a trusted proxy's itself. A client can send these headers too, so what stands before
/// that one says nothing. Returns `None` if the peer is not a trusted proxy, or does not tell.
pub fn forwarded_for(headers: &HeaderMap, peer: Peer, proxies: &TrustedProxies) -> Option<IpAddr> {
    if !proxies.contains_peer(peer) {
        return None;
    }
    let addresses: Vec<_> = if headers.contains_key(X_FORWARDED_FOR) {
        elements(headers, &X_FORWARDED_FOR).map(address).collect()
    } else {
        elements(headers, &FORWARDED)
            .map(|element| element.split(';').find_map(for_parameter).and_then(address))
            .collect()
    };
    // Beyond one that cannot be read, nothing is known.
    let known = addresses.into_iter().rev().map_while(|address| address);
    let mut known = known;
    known.find(|address| !proxies.contains(*address))
}

fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|element| !element.is_empty())
}

fn for_parameter(pair: &str) -> Option<&str> {
    let (name, value) = pair.split_once('=')?;
    name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
}

/// An address as proxies write it: with a port or without, IPv6 in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address: Option<IpAddr> = bare.parse().ok();
    address
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

    use http::HeaderValue;

    use super::*;

    fn client(peer: &str, pairs: &[(&'static str, &'static str)]) -> Option<String> {
        let proxies = TrustedProxies::new(&["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]);
        let headers =
            pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value)));
        let peer = Peer::Tcp(peer.parse().unwrap());
        forwarded_for(&headers.collect(), peer, &proxies).map(|address| address.to_string())
    }

    #[test]
    fn the_client_is_the_last_that_is_no_trusted_proxy() {
        for (name, value) in [
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-for", "198.51.100.1, 203.0.113.7"),
            ("x-forwarded-for", "198.51.100.1, 203.0.113.7:4711, 10.1.2.3"),
            ("x-forwarded-for", "unknown, 203.0.113.7"),
            ("x-forwarded-for", "::ffff:203.0.113.7"),
            ("forwarded", "for=198.51.100.1, For=203.0.113.7;proto=https;by=10.0.0.1"),
            ("forwarded", "proto=http; for=\"203.0.113.7:80\""),
        ] {
            assert_eq!(client("127.0.0.1:1", &[(name, value)]).as_deref(), Some("203.0.113.7"), "{name}: {value}");
        }
        let six = client("127.0.0.1:1", &[("forwarded", "for=\"[2001:db8::7]:80\"")]);
        assert_eq!(six.as_deref(), Some("2001:db8::7"));
    }

    #[test]
    fn nobody_else_is_believed_and_what_is_unknown_stays_so() {
        assert_eq!(client("203.0.113.9:1", &[("x-forwarded-for", "198.51.100.1")]), None);
        for pairs in [
            &[][..],
            &[("x-forwarded-for", "")],
            &[("x-forwarded-for", "198.51.100.1, unknown")],
            &[("x-forwarded-for", "10.0.0.1")],
            &[("forwarded", "for=_hidden")],
            // A proxy that knows the older header only passes the other on as the client sent it.
            &[("x-forwarded-for", "10.0.0.1"), ("forwarded", "for=198.51.100.1")],
        ] {
            assert_eq!(client("127.0.0.1:1", pairs), None, "{pairs:?}");
        }
    }
}
