//! Requests that change something, sent by browsers for pages of other sites (cross-site request forgery).
//!
//! Every page can make its visitors' browsers send requests to this server. It cannot read the answers, but a POST takes
//! effect all the same. Browsers say for whom they send: by `Sec-Fetch-Site` (Fetch Metadata Request Headers) to servers
//! at HTTPS or loopback addresses, and by `Origin` to all. Programs send neither.

use http::header::ORIGIN;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Method};

use super::allowed_hosts::AllowedHosts;
use super::allowed_origins::AllowedOrigins;
use super::forwarded_host::{RequestedHost, forwarded_hosts};
use super::origin::Origin;
use crate::http::peer::Peer;
use crate::http::proxies::TrustedProxies;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A header that a page's script may send to another site only if that site allows it beforehand (Fetch Standard, CORS
/// preflight), which this server does for allowed origins alone. Its value does not matter.
const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// A request was sent for a page of another site.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CsrfError {
    /// A page of the origin that is named.
    #[error(
        "a page of {0} may not do this; to allow it, start the server with --allow-origin {0}, \
         or if that page came through a reverse proxy, have the proxy send X-Forwarded-Host (see --trusted-proxy)"
    )]
    Origin(String),
    /// A page that the browser did not name.
    #[error("a page of another site may not do this; see --allow-origin")]
    Unnamed,
}

/// Tells whether a request that changes something was sent for one of the server's own pages, for a page of an allowed
/// origin, or by a program.
#[derive(Clone, Debug, Default)]
pub struct CsrfProtection {
    allowed: AllowedOrigins,
    hosts: AllowedHosts,
    proxies: TrustedProxies,
}

impl CsrfProtection {
    /// Let these origins send such requests, and believe these proxies about the host that a request was made for. `hosts`
    /// are the names that this server answers to.
    pub fn new(allowed: AllowedOrigins, hosts: AllowedHosts, proxies: TrustedProxies) -> Self {
        Self { allowed, hosts, proxies }
    }

    /// Check a request for this authority. Requests by safe methods (RFC 9110, section 9.2.1) always pass.
    pub fn check(&self, request: &Parts, authority: Option<&Authority>) -> Result<(), CsrfError> {
        if matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) {
            return Ok(());
        }
        self.check_origin(request, authority)
    }

    /// Check a request as [`check`](Self::check) does, whatever its method.
    pub fn check_origin(&self, request: &Parts, authority: Option<&Authority>) -> Result<(), CsrfError> {
        let origin = request.headers.get(ORIGIN);
        if origin.is_some_and(|origin| self.allowed.contains(origin)) {
            return Ok(());
        }
        let passes = match request.headers.get(SEC_FETCH_SITE) {
            // What the user typed, or a bookmark, is `none`. No script can set this header.
            Some(site) => site == "same-origin" || site == "none",
            None => origin.is_none_or(|origin| self.is_same_origin(request, authority, origin)),
        };
        if passes { Ok(()) } else { Err(refusal(origin)) }
    }

    /// Whether a browser that sends no `Sec-Fetch-Site` sent this for a page of this server.
    fn is_same_origin(&self, request: &Parts, authority: Option<&Authority>, origin: &HeaderValue) -> bool {
        let Some(origin) = origin.to_str().ok().and_then(Origin::parse) else { return false };
        let is_proxied = request.extensions.get::<Peer>().is_some_and(|peer| self.proxies.contains_peer(*peer));
        let own = authority.and_then(|authority| RequestedHost::new(authority, None, is_proxied));
        own.is_some_and(|own| own.matches(&origin))
            || (is_proxied && forwarded_hosts(&request.headers).iter().any(|host| host.matches(&origin)))
            // The page's name may have been lost on the way: proxies that put their own name for this server into `Host`
            // are common. A page that sends this header is of the same origin for its browser. The name is checked
            // because it could be one that was made to resolve to the proxy (DNS rebinding).
            || (request.headers.contains_key(X_REQUESTED_WITH) && self.hosts.allows(origin.host()))
    }
}

/// Name the origin if it is one: it goes into a log and an answer.
fn refusal(origin: Option<&HeaderValue>) -> CsrfError {
    let origin = origin.and_then(|origin| origin.to_str().ok()).and_then(Origin::parse);
    origin.map_or(CsrfError::Unnamed, |origin| CsrfError::Origin(origin.to_string()))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// Whether a POST with these headers passes, from this peer.
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
    fn programs_and_own_pages_pass() {
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
    fn pages_of_other_sites_do_not() {
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
    fn allowed_origins_pass() {
        let page = [HOST, ("origin", "http://mainsail.local"), ("sec-fetch-site", "cross-site")];
        assert!(passes(REMOTE, &["http://mainsail.local"], &page));
        assert!(passes(REMOTE, &["*"], &page));
        assert!(!passes(REMOTE, &["http://other.local"], &page));
    }

    #[test]
    fn a_trusted_proxy_tells_the_host_and_may_drop_its_port() {
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
    fn a_page_behind_a_proxy_that_tells_nothing_shows_itself_by_a_header() {
        let page = |origin| [("host", "mjpgstreamer1"), ("origin", origin), ("x-requested-with", "hotshoe")];
        assert!(passes(REMOTE, &[], &page("http://mainsail.local")));
        assert!(!passes(REMOTE, &[], &page("http://evil.example")), "its name may have been rebound to the proxy");
        assert!(!passes(REMOTE, &[], &page("null")));
    }
}
