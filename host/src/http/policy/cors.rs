//! Pages of other sites: which of them may read what is answered here (Fetch Standard, section 3.2, CORS protocol).
//!
//! A browser shows an `<img>` of this server on any page, but lets a page's scripts read nothing from here unless the
//! answer says that its site may. Which sites may is for who runs the server to say, and not for the guest.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use super::allowed_origins::AllowedOrigins;

/// How long a browser may remember that it may ask: a day, the most that Firefox takes.
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("86400");

/// What scripts may see of an answer beside its body.
const EXPOSED: HeaderValue = HeaderValue::from_static("Content-Length, Retry-After, X-Timestamp");

/// Every origin.
const ANY: HeaderValue = HeaderValue::from_static("*");

/// The pages of other sites that may read what is answered.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    allowed: AllowedOrigins,
}

impl Cors {
    /// Those of these origins.
    pub fn new(allowed: AllowedOrigins) -> Self {
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
        self.add_headers(headers.get(ORIGIN), granted);
        granted.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        if let Some(wanted) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            granted.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        granted.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
        Some(response)
    }

    /// Write into the answer to a request of this origin that its pages may read it, if they may; unless the guest has
    /// said who may.
    pub fn add_headers(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if self.allowed.is_empty() || headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        if !self.allowed.is_any() {
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
        if self.allowed.is_any() {
            return Some(ANY);
        }
        let origin = origin?;
        self.allowed.contains(origin).then(|| origin.clone())
    }
}
