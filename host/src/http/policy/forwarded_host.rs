//! The hosts that a request was made for, as seen by the server and by the reverse proxies in front of it.

use http::header::FORWARDED;
use http::uri::Authority;
use http::{HeaderMap, HeaderName};
use url::Host;

use super::host::host_of;
use crate::origin::Origin;

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A host that a request was made for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestedHost {
    host: Host,
    port: Option<u16>,
    /// The scheme in lower case, or `None` if unknown.
    scheme: Option<String>,
    /// Whether a proxy forwarded the request. Proxies often omit the port: nginx's `$host` has none.
    is_proxied: bool,
}

impl RequestedHost {
    /// Parses an authority. Returns `None` if it is invalid.
    pub fn new(authority: &Authority, scheme: Option<&str>, is_proxied: bool) -> Option<Self> {
        let scheme = scheme.map(str::to_ascii_lowercase);
        Some(Self { host: host_of(authority)?, port: authority.port_u16(), scheme, is_proxied })
    }

    /// Whether a page of this origin may have been loaded from this host.
    ///
    /// The scheme must match only if a proxy forwarded it: the server cannot see whether a proxy in front of it
    /// terminates TLS. If a proxied host has no port, any port matches: an origin at another port of the proxy's
    /// machine counts as the same, as it does for cookies.
    pub fn matches(&self, origin: &Origin) -> bool {
        let scheme_matches = self.scheme.as_deref().is_none_or(|scheme| scheme == origin.scheme());
        let port_matches = match self.port {
            Some(port) => origin.port_or_default() == Some(port),
            None => self.is_proxied || origin.port().is_none(),
        };
        scheme_matches && port_matches && self.host == *origin.host()
    }
}

/// Returns the hosts in `Forwarded` (RFC 7239) and `X-Forwarded-Host`. In a chain of proxies each may have added one,
/// and any of them may be the one that the client used. Must only be called if a trusted proxy sent the request.
pub fn forwarded_hosts(headers: &HeaderMap) -> Vec<RequestedHost> {
    let host = |host: &str, scheme: Option<&str>| RequestedHost::new(&host.parse().ok()?, scheme, true);
    let mut hosts: Vec<_> = values(headers, &FORWARDED)
        .flat_map(|value| split(value, ','))
        .filter_map(|element| {
            let parameter = |name: &str| {
                split(element, ';').find_map(|parameter| {
                    let (found, value) = parameter.split_once('=')?;
                    found.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
                })
            };
            host(parameter("host")?, parameter("proto"))
        })
        .collect();
    // With several schemes it is unknown which scheme belongs to which host.
    let schemes: Vec<_> = values(headers, &X_FORWARDED_PROTO).flat_map(|value| split(value, ',')).collect();
    let scheme = if let [scheme] = schemes[..] { Some(scheme) } else { None };
    hosts.extend(
        values(headers, &X_FORWARDED_HOST).flat_map(|value| split(value, ',')).filter_map(|name| host(name, scheme)),
    );
    hosts
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok())
}

/// Splits a header at separators outside quotes (RFC 9110, section 5.6.4), and trims the parts.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let is_separator = move |char: char| {
        quoted ^= char == '"';
        char == separator && !quoted
    };
    text.split(is_separator).map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn matches(headers: &[(&'static str, &'static str)], origin: &str) -> bool {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value)))
            .collect();
        let origin = Origin::parse(origin).unwrap();
        forwarded_hosts(&headers).iter().any(|host| host.matches(&origin))
    }

    #[test]
    fn both_headers_name_the_host() {
        for header in [
            ("forwarded", "for=10.0.0.1;host=cam.example;proto=https"),
            ("forwarded", "for=10.0.0.1, for=\"[::1]:80\";Host=\"cam.example\" ; proto=https"),
            ("forwarded", "for=\"a,host=x;b\";host=\"cam.example:443\""),
            ("x-forwarded-host", "cam.example"),
            ("x-forwarded-host", "Cam.Example:443"),
            ("x-forwarded-host", "inner, cam.example"),
        ] {
            assert!(matches(&[header], "https://cam.example"), "{header:?}");
            assert!(!matches(&[header], "https://evil.example"), "{header:?}");
            assert!(!matches(&[header], "https://x"), "{header:?}");
        }
    }

    #[test]
    fn forwarded_ports_and_schemes_must_match() {
        let with = |proto, host| [("x-forwarded-proto", proto), ("x-forwarded-host", host)];
        assert!(matches(&with("https", "cam.example"), "https://cam.example"));
        assert!(matches(&with("HTTPS", "cam.example"), "https://cam.example:8443"), "the proxy omitted the port");
        assert!(!matches(&with("http", "cam.example"), "https://cam.example"));
        assert!(!matches(&with("http", "cam.example:8080"), "http://cam.example"));
        assert!(matches(&with("http", "cam.example:80"), "http://cam.example"));
        assert!(matches(&with("https, http", "cam.example"), "https://cam.example"), "which scheme is unknown");
        assert!(!matches(&[("x-forwarded-host", "")], "https://cam.example"));
        assert!(!matches(&[("forwarded", "for=cam.example")], "https://cam.example"));
    }
}
