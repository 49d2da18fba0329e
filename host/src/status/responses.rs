//! Responses with the status.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

use super::collector::Collector;
use super::exposition;
use super::metrics::render;
use crate::http::host_response;

/// The path of the metrics, as Prometheus expects it.
pub const METRICS_PATH: &str = "/metrics";

/// The response to a request for the metrics.
pub fn metrics(collector: &Collector, method: &Method) -> Response<Full<Bytes>> {
    match not_allowed(method) {
        Some(response) => response,
        None => with_type(render(&collector.collect()), exposition::CONTENT_TYPE),
    }
}

/// The response to a request for the status, as JSON.
pub fn status(collector: &Collector, method: &Method) -> Response<Full<Bytes>> {
    if let Some(response) = not_allowed(method) {
        return response;
    }
    // The status has only fields that JSON can represent, so this does not fail.
    let json = serde_json::to_string_pretty(&collector.collect()).unwrap_or_default();
    with_type(json + "\n", "application/json")
}

fn not_allowed(method: &Method) -> Option<Response<Full<Bytes>>> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let mut response = host_response::text(StatusCode::METHOD_NOT_ALLOWED, "allowed methods: GET, HEAD");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    Some(response)
}

fn with_type(text: String, content_type: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
