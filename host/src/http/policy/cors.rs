//! Cross-origin resource sharing (Fetch Standard, CORS protocol).
//!
//! Browsers show this server's images on any page, but let a page's scripts read a response only if it allows their
//! origin. The user allows origins with `--allow-origin`; a guest may allow more in its own responses.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use super::allowed_origins::AllowedOrigins;

/// How long browsers may cache a preflight response: one day, the longest that Firefox accepts.
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("86400");

/// The response headers that scripts may read, besides the safelisted ones.
const EXPOSED_HEADERS: HeaderValue =
    HeaderValue::from_static("Content-Length, Retry-After, X-Outage, X-Sequence, X-Timestamp");

/// Every origin.
const ANY: HeaderValue = HeaderValue::from_static("*");

/// Allows pages of other origins to read responses. The default allows none.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    allowed: AllowedOrigins,
}

impl Cors {
    /// Allows pages of these origins.
    pub fn new(allowed: AllowedOrigins) -> Self {
        Self { allowed }
    }

    /// Answers a preflight request of an allowed origin. Returns `None` for any other request.
    pub fn preflight<B, T: Default>(&self, request: &Request<B>) -> Option<Response<T>> {
        let headers = request.headers();
        let method = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        if request.method() != Method::OPTIONS || self.allow_origin(headers.get(ORIGIN)).is_none() {
            return None;
        }
        let mut response = Response::new(T::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let response_headers = response.headers_mut();
        self.add_headers(headers.get(ORIGIN), response_headers);
        response_headers.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        if let Some(requested) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            response_headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
        }
        response_headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
        Some(response)
    }

    /// Adds the headers to the response to a request with this `Origin`, unless the guest has set its own.
    pub fn add_headers(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if self.allowed.is_empty() || headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        if !self.allowed.allows_any() {
            // Caches must not reuse the response for another origin.
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(allowed) = self.allow_origin(origin) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        }
    }

    /// Returns the value of `Access-Control-Allow-Origin`, or `None` if the origin is not allowed.
    fn allow_origin(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        if self.allowed.allows_any() {
            return Some(ANY);
        }
        let origin = origin?;
        self.allowed.allows(origin).then(|| origin.clone())
    }
}
