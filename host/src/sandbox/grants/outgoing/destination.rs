//! What `--allow-outgoing` lists.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::{HeaderValue, Uri};
use ipnet::IpNet;
use url::Host;

use crate::origin::Origin;

/// How to write a destination.
const SYNTAX: &str = "use an origin without a path, such as https://ntfy.sh; for a name in a private network, add its \
                      address or network, such as http://printer.local:8080=192.168.1.0/24";

/// An origin that guests may send requests to.
///
/// An origin with an address stands for this address. An origin with a name stands for the public addresses that the
/// name resolves to, except those of this machine, and for those in `networks`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Destination {
    pub(super) origin: Origin,
    /// Addresses that the name may also resolve to.
    pub(super) networks: Vec<IpNet>,
}

impl Destination {
    /// Whether the operator has listed this address, by itself or in a network.
    pub(super) fn lists(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_origin = match self.origin.host() {
            Host::Ipv4(host) => IpAddr::from(*host) == address,
            Host::Ipv6(host) => IpAddr::from(*host).to_canonical() == address,
            Host::Domain(_) => false,
        };
        is_origin || self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether requests are encrypted.
    pub(super) fn uses_tls(&self) -> bool {
        self.origin.scheme() == "https"
    }

    /// The port to connect to.
    pub(super) fn port(&self) -> u16 {
        // Only HTTP and HTTPS are parsed, and both have a default port.
        self.origin.port_or_default().unwrap_or(if self.uses_tls() { 443 } else { 80 })
    }

    /// The value of `Host`.
    pub(super) fn host_header(&self) -> Option<HeaderValue> {
        let host = self.origin.host();
        let value = self.origin.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        HeaderValue::try_from(value).ok()
    }
}

impl FromStr for Destination {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (origin, networks) = match text.split_once('=') {
            Some((origin, network)) => (origin, vec![parse_network(network).ok_or(SYNTAX)?]),
            None => (text, Vec::new()),
        };
        let origin = Origin::parse(origin).filter(|origin| matches!(origin.scheme(), "http" | "https"));
        let origin = origin.ok_or(SYNTAX)?;
        if !networks.is_empty() && !matches!(origin.host(), Host::Domain(_)) {
            return Err("an address needs no network after `=`: it is allowed as it is");
        }
        Ok(Self { origin, networks })
    }
}

fn parse_network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?)))
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.origin)?;
        self.networks.iter().try_for_each(|network| write!(formatter, "={network}"))
    }
}

/// The origin that a request is for. `None` if it has none, or if the guest hides something in it, such as a user name.
pub(super) fn origin_of(uri: &Uri) -> Option<Origin> {
    Origin::parse(&format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_origins_with_an_optional_network() {
        for (text, shown) in [
            ("https://ntfy.sh", "https://ntfy.sh"),
            ("HTTPS://NTFY.sh:443", "https://ntfy.sh"),
            ("http://192.168.1.20:8123", "http://192.168.1.20:8123"),
            ("http://[fd00::1]:80", "http://[fd00::1]"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://ha.local:8123=192.168.1.20", "http://ha.local:8123=192.168.1.20/32"),
            ("http://ha.local=192.168.0.0/16", "http://ha.local=192.168.0.0/16"),
            ("http://localhost:1=::1", "http://localhost:1=::1/128"),
        ] {
            let destination: Destination = text.parse().unwrap();
            assert_eq!(destination.to_string(), shown);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "ntfy.sh",
            "https://",
            "https://ntfy.sh/",
            "https://ntfy.sh/topic",
            "https://user@ntfy.sh",
            "https://*.ntfy.sh",
            "ftp://ntfy.sh",
            "unix:/run/x",
            "https://ntfy.sh=",
            "https://ntfy.sh=any",
            "https://ntfy.sh=10.0.0.0/33",
            "http://10.0.0.1=10.0.0.1",
        ] {
            assert!(text.parse::<Destination>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_request_is_for_an_origin_only_if_its_authority_is_one() {
        let listed: Destination = "http://ha.local:8123=10.0.0.1".parse().unwrap();
        let is_for = |uri: &str| origin_of(&uri.parse().unwrap()).is_some_and(|origin| origin == listed.origin);
        assert!(is_for("http://ha.local:8123/api"));
        assert!(is_for("http://HA.LOCAL:8123/api?x=http://other"));
        for other in [
            "https://ha.local:8123/api",
            "http://ha.local/api",
            "http://ha.local:81230/",
            "http://ha.local.example:8123/",
            "http://user:password@ha.local:8123/",
            "http://ha.local:8123@other.example/",
            "http://other.example/http://ha.local:8123/",
            "/api",
        ] {
            let Ok(uri) = other.parse::<Uri>() else { continue };
            assert_ne!(origin_of(&uri).as_ref(), Some(&listed.origin), "{other}");
        }
    }
}
