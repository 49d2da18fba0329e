//! Pages of other sites: which of them may read what is answered here (Fetch Standard, section 3.2, CORS protocol).
//!
//! A browser shows an `<img>` of this server on any page, but lets a page's scripts read nothing from here unless the
//! answer says that its site may. Which sites may is for who runs the server to say, and not for the guest.

use std::net::Ipv6Addr;
use std::str::FromStr;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

/// How long a browser may remember that it may ask: a day, the most that Firefox takes.
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("86400");

/// What scripts may see of an answer beside its body.
const EXPOSED: HeaderValue = HeaderValue::from_static("Content-Length, Retry-After, X-Timestamp");

/// Every origin.
const ANY: HeaderValue = HeaderValue::from_static("*");

/// Pages that may read answers, as typed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AllowedOrigin {
    /// `*`: those of all sites.
    Any,
    /// Those of one: what a browser sends as `Origin`.
    One(HeaderValue),
}

impl FromStr for AllowedOrigin {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        if typed == "*" {
            return Ok(Self::Any);
        }
        origin(typed)
            .and_then(|origin| HeaderValue::from_str(&origin).ok())
            .map(Self::One)
            .ok_or_else(|| format!("`{typed}` is no origin, such as http://printer.local or *"))
    }
}

/// An origin as browsers write it: in small letters, and without the port that its scheme has anyway. None for what
/// cannot be one.
fn origin(typed: &str) -> Option<String> {
    let (scheme, rest) = typed.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let is_scheme = scheme.starts_with(|char: char| char.is_ascii_lowercase())
        && scheme.chars().all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char));
    let authority: Authority = rest.parse().ok().filter(|_| is_scheme)?;
    let host = authority.host().to_ascii_lowercase();
    let is_name = |name: &str| name.chars().all(|char| char.is_ascii_alphanumeric() || "-._".contains(char));
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = !host.is_empty() && address.map_or(is_name(&host), |address| address.parse::<Ipv6Addr>().is_ok());
    let port = authority.port_u16();
    let whole = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    // Without a user's name, a port that is none, or anything behind.
    if !is_host || !whole.eq_ignore_ascii_case(rest) {
        return None;
    }
    match (scheme.as_str(), port) {
        ("http", Some(80)) | ("https", Some(443)) => Some(format!("{scheme}://{host}")),
        _ => Some(format!("{scheme}://{whole}")),
    }
}

/// The pages of other sites that may read what is answered.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    allowed: Vec<AllowedOrigin>,
}

impl Cors {
    /// Those of these origins; none unless there are some.
    pub fn new(allowed: Vec<AllowedOrigin>) -> Self {
        Self { allowed }
    }

    /// The answer to a browser that asks beforehand whether a page may send what it wants to send, which is no matter of
    /// the guest's; none for any other request.
    pub fn preflight<B, T: Default>(&self, request: &Request<B>) -> Option<Response<T>> {
        let headers = request.headers();
        let method = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        if request.method() != Method::OPTIONS || self.granted(headers.get(ORIGIN)).is_none() {
            return None;
        }
        let mut response = Response::new(T::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let granted = response.headers_mut();
        self.mark(headers.get(ORIGIN), granted);
        granted.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        if let Some(wanted) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            granted.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        granted.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
        Some(response)
    }

    /// Write into the answer to a request of this origin that its pages may read it, if they may; unless the guest has
    /// said who may.
    pub fn mark(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if self.allowed.is_empty() || headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        if !self.allowed.contains(&AllowedOrigin::Any) {
            // Caches must not give one site the answer to another.
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(granted) = self.granted(origin) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, granted);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    /// Whose pages are told that they may; none where those of this origin may not.
    fn granted(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        if self.allowed.contains(&AllowedOrigin::Any) {
            return Some(ANY);
        }
        let origin = origin?;
        self.allowed.contains(&AllowedOrigin::One(origin.clone())).then(|| origin.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_typed_as_browsers_write_it() {
        assert_eq!("*".parse(), Ok(AllowedOrigin::Any));
        let one = |origin| Ok(AllowedOrigin::One(HeaderValue::from_static(origin)));
        assert_eq!("http://printer.local".parse(), one("http://printer.local"));
        assert_eq!("HTTPS://Cam.Example:8443".parse(), one("https://cam.example:8443"));
        assert_eq!("http://printer.local:80".parse(), one("http://printer.local"));
        assert_eq!("https://cam.example:443".parse(), one("https://cam.example"));
        assert_eq!("http://cam.example:443".parse(), one("http://cam.example:443"));
        assert_eq!("http://[::1]:8080".parse(), one("http://[::1]:8080"));
        assert_eq!("capacitor://localhost".parse(), one("capacitor://localhost"));
        for wrong in [
            "",
            "printer.local",
            "http://",
            "http://a/",
            "http://a/b",
            "://a",
            "1http://a",
            "http://*.a",
            "null",
            "http://a\nb",
            "http://a:",
            "http://a:99999",
            "http://a:80x",
            "http://u@h",
            "http://[::1",
            "http://a\tb",
            "http://a&b",
            "http://bücher.de",
            "http://a?b",
            "http://a:080",
        ] {
            assert!(wrong.parse::<AllowedOrigin>().is_err(), "{wrong:?}");
        }
    }
}
