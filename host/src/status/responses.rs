//! Responses with the status.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};
use http_body_util::Full;

use super::collector::Collector;
use super::exposition;
use super::metrics::render;
use crate::http::host_response;

/// The path of the metrics, as Prometheus expects it.
pub const METRICS_PATH: &str = "/metrics";

/// The response to a request for the metrics.
pub fn metrics(collector: &Collector, method: &Method) -> Response<Full<Bytes>> {
    match host_response::only_read(method) {
        Some(response) => response,
        None => with_type(render(&collector.collect()), exposition::CONTENT_TYPE),
    }
}

/// The response to a request for the status, as JSON.
pub fn status(collector: &Collector, method: &Method) -> Response<Full<Bytes>> {
    if let Some(response) = host_response::only_read(method) {
        return response;
    }
    // The status has only fields that JSON can represent, so this does not fail.
    let json = serde_json::to_string_pretty(&collector.collect()).unwrap_or_default();
    with_type(json + "\n", "application/json")
}

fn with_type(text: String, content_type: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
