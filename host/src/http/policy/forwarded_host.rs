//! The hosts for which a request was made, as the server and the reverse proxies before it saw them.

use http::header::FORWARDED;
use http::uri::Authority;
use http::{HeaderMap, HeaderName};
use url::Host;

use super::host::host_of;
use super::origin::Origin;

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A host for which a request was made, and what is known of the connection to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestedHost {
    host: Host,
    port: Option<u16>,
    /// The scheme, in lower case, if it is known.
    scheme: Option<String>,
    /// Whether a proxy told it. Proxies often leave the port out: in nginx, `$host` has none.
    is_from_proxy: bool,
}

impl RequestedHost {
    /// The host of this authority. `None` if it is not valid.
    pub fn new(authority: &Authority, scheme: Option<&str>, is_from_proxy: bool) -> Option<Self> {
        let scheme = scheme.map(str::to_ascii_lowercase);
        Some(Self { host: host_of(authority)?, port: authority.port_u16(), scheme, is_from_proxy })
    }

    /// Whether a page of this origin was loaded from this host.
    ///
    /// The scheme is compared only where a proxy told it, since this server does not see whether one before it speaks
    /// TLS. A proxy's host without a port may have any: an origin at another port of the proxy's machine counts as the
    /// same, as it does for cookies.
    pub fn matches(&self, origin: &Origin) -> bool {
        let default = |scheme: &str| match scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        let is_scheme = self.scheme.as_deref().is_none_or(|scheme| scheme == origin.scheme());
        let is_port = match self.port {
            Some(port) => origin.port().or(default(origin.scheme())) == Some(port),
            None => self.is_from_proxy || origin.port().is_none(),
        };
        is_scheme && is_port && self.host == *origin.host()
    }
}

/// The hosts that proxies say the request was made for: those of `Forwarded` (RFC 7239) and `X-Forwarded-Host`. Each
/// proxy of a chain may have added one, and which of them the client used cannot be told apart. Only to be believed if a
/// trusted proxy sent the request.
pub fn forwarded_hosts(headers: &HeaderMap) -> Vec<RequestedHost> {
    let host = |host: &str, scheme: Option<&str>| RequestedHost::new(&host.parse().ok()?, scheme, true);
    let mut hosts: Vec<_> = values(headers, &FORWARDED)
        .flat_map(|value| split(value, ','))
        .filter_map(|element| {
            let parameter = |name: &str| {
                split(element, ';').find_map(|pair| {
                    let (found, value) = pair.split_once('=')?;
                    found.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
                })
            };
            host(parameter("host")?, parameter("proto"))
        })
        .collect();
    // Of a chain, the lists may differ in length; then it is not known which belong together.
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

/// The parts between the separators that are not in quotes (RFC 9110, section 5.6.4), without spaces around them.
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

    fn is_forwarded(pairs: &[(&'static str, &'static str)], origin: &str) -> bool {
        let headers: HeaderMap = pairs
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value)))
            .collect();
        let origin = Origin::parse(origin).unwrap();
        forwarded_hosts(&headers).iter().any(|host| host.matches(&origin))
    }

    #[test]
    fn both_forms_tell_the_host() {
        for (header, value) in [
            ("forwarded", "for=10.0.0.1;host=cam.example;proto=https"),
            ("forwarded", "for=10.0.0.1, for=\"[::1]:80\";Host=\"cam.example\" ; proto=https"),
            ("forwarded", "for=\"a,host=x;b\";host=\"cam.example:443\""),
            ("x-forwarded-host", "cam.example"),
            ("x-forwarded-host", "Cam.Example:443"),
            ("x-forwarded-host", "inner, cam.example"),
        ] {
            assert!(is_forwarded(&[(header, value)], "https://cam.example"), "{header}: {value}");
            assert!(!is_forwarded(&[(header, value)], "https://evil.example"), "{header}: {value}");
            assert!(!is_forwarded(&[(header, value)], "https://x"), "{header}: {value}");
        }
    }

    #[test]
    fn what_is_told_of_port_and_scheme_must_be_so() {
        let with = |proto, host| [("x-forwarded-proto", proto), ("x-forwarded-host", host)];
        assert!(is_forwarded(&with("https", "cam.example"), "https://cam.example"));
        assert!(is_forwarded(&with("HTTPS", "cam.example"), "https://cam.example:8443"), "its port was left out");
        assert!(!is_forwarded(&with("http", "cam.example"), "https://cam.example"));
        assert!(!is_forwarded(&with("http", "cam.example:8080"), "http://cam.example"));
        assert!(is_forwarded(&with("http", "cam.example:80"), "http://cam.example"));
        assert!(is_forwarded(&with("https, http", "cam.example"), "https://cam.example"), "it is not clear whose");
        assert!(!is_forwarded(&[("x-forwarded-host", "")], "https://cam.example"));
        assert!(!is_forwarded(&[("forwarded", "for=cam.example")], "https://cam.example"));
    }
}
