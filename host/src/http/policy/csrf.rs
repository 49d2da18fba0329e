//! Protection against cross-site request forgery.
//!
//! Any web page can make its visitors' browsers send requests to this server. It cannot read the responses, but a POST
//! takes effect all the same. Browsers declare whose page sent a request: in `Sec-Fetch-Site` (Fetch Metadata Request
//! Headers) to servers at HTTPS or loopback addresses, and in `Origin` to every server. Programs send neither. The
//! rules are those of Go's `http.CrossOriginProtection`, plus forwarded hosts.

use http::header::ORIGIN;
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{HeaderName, HeaderValue, Method};

use super::allowed_hosts::AllowedHosts;
use super::allowed_origins::AllowedOrigins;
use super::forwarded_host::{RequestedHost, forwarded_hosts};
use crate::http::peer::Peer;
use crate::http::proxies::TrustedProxies;
use crate::origin::Origin;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A header that scripts can send to another origin only after a CORS preflight (Fetch Standard), which this server
/// grants to allowed origins alone. Its value does not matter.
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// A page of another origin sent the request.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CsrfError {
    /// The browser declared this origin.
    #[error(
        "pages of {0} may not do this; to allow them, start the server with --allow-origin {0}; if you opened the page \
         through a reverse proxy, have the proxy send X-Forwarded-Host (see --trusted-proxy)"
    )]
    Origin(String),
    /// The browser declared no origin, or an invalid or opaque one.
    #[error("pages of other sites may not do this; see --allow-origin")]
    UnknownOrigin,
}

/// Rejects requests with side effects unless a page of this server, a page of an allowed origin, or a program sent
/// them. The default allows no other origin and trusts no proxy.
#[derive(Clone, Debug, Default)]
pub struct CsrfProtection {
    allowed: AllowedOrigins,
    hosts: AllowedHosts,
    proxies: TrustedProxies,
}

impl CsrfProtection {
    /// Allows requests from pages of the `allowed` origins, and trusts `proxies` to forward the host that the client
    /// requested. `hosts` are the names that the server answers to.
    pub fn new(allowed: AllowedOrigins, hosts: AllowedHosts, proxies: TrustedProxies) -> Self {
        Self { allowed, hosts, proxies }
    }

    /// Checks a request for `authority`. Accepts every request with a safe method (RFC 9110, section 9.2.1).
    pub fn check(&self, request: &Parts, authority: Option<&Authority>) -> Result<(), CsrfError> {
        if matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) {
            return Ok(());
        }
        self.check_origin(request, authority)
    }

    /// Checks a request like [`check`](Self::check), but with any method.
    pub fn check_origin(&self, request: &Parts, authority: Option<&Authority>) -> Result<(), CsrfError> {
        let origin = request.headers.get(ORIGIN);
        if origin.is_some_and(|origin| self.allowed.allows(origin)) {
            return Ok(());
        }
        let passes = match request.headers.get(SEC_FETCH_SITE) {
            // Scripts cannot set this header. It is `none` if the user typed the URL or opened a bookmark.
            Some(site) => site == "same-origin" || site == "none",
            None => origin.is_none_or(|origin| self.is_same_origin(request, authority, origin)),
        };
        if passes { Ok(()) } else { Err(error(origin)) }
    }

    /// Whether a page of this server sent the request, for browsers that send no `Sec-Fetch-Site`.
    fn is_same_origin(&self, request: &Parts, authority: Option<&Authority>, origin: &HeaderValue) -> bool {
        let Some(origin) = parse(origin) else { return false };
        let is_proxied = request.extensions.get::<Peer>().is_some_and(|peer| self.proxies.contains_peer(*peer));
        // A plain request may have come through a proxy that terminates TLS and is not trusted, and a trusted proxy may
        // encrypt what it received in plain text. Only a client that has encrypted its request itself tells the scheme.
        let is_https = request.extensions.get::<Scheme>() == Some(&Scheme::HTTPS);
        let scheme = if is_https && !is_proxied { Some("https") } else { None };
        let requested = authority.and_then(|authority| RequestedHost::new(authority, scheme, is_proxied));
        requested.is_some_and(|host| host.matches(&origin))
            || (is_proxied && forwarded_hosts(&request.headers).iter().any(|host| host.matches(&origin)))
            // Many proxies replace `Host` by their own name for this server and forward nothing. A page that can send
            // this header has the same origin as the URL it requested. Its host must be allowed, because an attacker
            // could have made their own name resolve to the proxy (DNS rebinding).
            || (request.headers.contains_key(X_REQUESTED_WITH) && self.hosts.allows(origin.host()))
    }
}

fn parse(origin: &HeaderValue) -> Option<Origin> {
    origin.to_str().ok().and_then(Origin::parse)
}

/// Names the origin only if it is valid, since the message is logged and sent to the client.
fn error(origin: Option<&HeaderValue>) -> CsrfError {
    origin.and_then(parse).map_or(CsrfError::UnknownOrigin, |origin| CsrfError::Origin(origin.to_string()))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// Whether a POST from this peer with these headers is accepted.
    fn passes(peer: &str, allowed: &[&str], pairs: &[(&str, &str)]) -> bool {
        let allowed: Vec<_> = allowed.iter().map(|origin| origin.parse().unwrap()).collect();
        let proxies = TrustedProxies::new(&["127.0.0.0/8".parse().unwrap()]);
        let protection = CsrfProtection::new(AllowedOrigins::new(&allowed), AllowedHosts::default(), proxies);
        let mut request = Request::post("/controls").extension(Peer::Tcp(peer.parse().unwrap()));
        let mut authority = None;
        for (name, value) in pairs {
            request = request.header(*name, *value);
            if *name == "host" {
                authority = Some(value.parse().unwrap());
            }
        }
        protection.check(&request.body(()).unwrap().into_parts().0, authority.as_ref()).is_ok()
    }

    const REMOTE: &str = "192.168.1.9:40000";
    const PROXY: &str = "127.0.0.1:40000";
    const HOST: (&str, &str) = ("host", "pi.local:5000");

    #[test]
    fn programs_and_pages_of_this_server_pass() {
        for pairs in [
            &[HOST][..],
            &[],
            &[HOST, ("origin", "http://pi.local:5000")],
            &[HOST, ("origin", "https://PI.local:5000")],
            &[("host", "pi.local"), ("origin", "http://pi.local")],
            &[("host", "pi.local:80"), ("origin", "http://pi.local")],
            &[("host", "[::1]:1"), ("origin", "http://[::1]:1")],
            &[HOST, ("origin", "http://other.local"), ("sec-fetch-site", "same-origin")],
            &[HOST, ("sec-fetch-site", "none")],
        ] {
            assert!(passes(REMOTE, &[], pairs), "{pairs:?}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_rejected() {
        for pairs in [
            &[HOST, ("origin", "http://evil.example")][..],
            &[HOST, ("origin", "null")],
            &[HOST, ("origin", "")],
            &[HOST, ("origin", "http://pi.local")],
            &[HOST, ("origin", "http://pi.local:5001")],
            &[HOST, ("origin", "http://pi.local:5000.evil.example")],
            &[("host", "pi.local"), ("origin", "http://pi.local:5000")],
            &[HOST, ("sec-fetch-site", "cross-site")],
            &[HOST, ("sec-fetch-site", "same-site")],
            &[HOST, ("sec-fetch-site", "")],
            &[HOST, ("sec-fetch-site", "same-site"), ("origin", "http://pi.local:5000")],
            &[HOST, ("sec-fetch-site", "cross-site"), ("x-requested-with", "x")],
            &[HOST, ("origin", "http://evil.example"), ("x-requested-with", "x")],
            &[HOST, ("origin", "http://evil.example"), ("x-forwarded-host", "evil.example")],
        ] {
            assert!(!passes(REMOTE, &[], pairs), "{pairs:?}");
        }
    }

    #[test]
    fn pages_from_plain_http_are_not_those_of_a_server_with_tls() {
        let passes = |peer: &str, origin: &str| {
            let request = Request::post("/controls").extension(Peer::Tcp(peer.parse().unwrap()));
            let request = request.extension(Scheme::HTTPS).header("origin", origin).body(()).unwrap().into_parts().0;
            let proxies = TrustedProxies::new(&["127.0.0.0/8".parse().unwrap()]);
            let protection = CsrfProtection::new(AllowedOrigins::default(), AllowedHosts::default(), proxies);
            protection.check(&request, Some(&"pi.local:5443".parse().unwrap())).is_ok()
        };
        assert!(passes(REMOTE, "https://pi.local:5443"));
        assert!(!passes(REMOTE, "http://pi.local:5443"));
        assert!(passes(PROXY, "http://pi.local:5443"), "the proxy may have encrypted it");
    }

    #[test]
    fn allowed_origins_pass() {
        let page = [HOST, ("origin", "http://mainsail.local"), ("sec-fetch-site", "cross-site")];
        assert!(passes(REMOTE, &["http://mainsail.local"], &page));
        assert!(passes(REMOTE, &["*"], &page));
        assert!(!passes(REMOTE, &["http://other.local"], &page));
    }

    #[test]
    fn a_trusted_proxy_forwards_the_host_and_may_omit_the_port() {
        let forwarded =
            [("host", "127.0.0.1:5000"), ("origin", "https://cam.example"), ("x-forwarded-host", "cam.example")];
        assert!(passes(PROXY, &[], &forwarded));
        assert!(!passes(REMOTE, &[], &forwarded));
        let without_port = [("host", "pi.local"), ("origin", "http://pi.local:8080")];
        assert!(passes(PROXY, &[], &without_port));
        assert!(!passes(REMOTE, &[], &without_port));
        assert!(!passes(PROXY, &[], &[("host", "pi.local"), ("origin", "http://evil.example")]));
    }

    #[test]
    fn x_requested_with_identifies_pages_behind_proxies_that_forward_no_host() {
        let page = |origin| [("host", "mjpgstreamer1"), ("origin", origin), ("x-requested-with", "hotshoe")];
        assert!(passes(REMOTE, &[], &page("http://mainsail.local")));
        assert!(!passes(REMOTE, &[], &page("http://evil.example")), "the name may resolve to the proxy");
        assert!(!passes(REMOTE, &[], &page("null")));
    }
}
