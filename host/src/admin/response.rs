//! The responses of the admin listener: JSON, errors in the field `error`.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use crate::http::host_response::insert_retry_after;
use crate::swap::SwapError;

/// A response of the admin listener.
pub(super) type AdminResponse = Response<Full<Bytes>>;

/// The body of an error response.
#[derive(Serialize)]
struct ErrorBody {
    error: String,
}

/// 405, with the methods that are allowed.
pub(super) fn method_not_allowed(allowed: &'static str) -> AdminResponse {
    let response = error(StatusCode::METHOD_NOT_ALLOWED, format!("allowed methods: {allowed}"));
    with_header(response, ALLOW, HeaderValue::from_static(allowed))
}

/// A status with its reason.
pub(super) fn error(status: StatusCode, reason: impl ToString) -> AdminResponse {
    let mut response = json(status, &ErrorBody { error: reason.to_string() });
    insert_retry_after(status, response.headers_mut());
    response
}

/// Why a component was not installed.
pub(super) fn swap_error(reason: &SwapError) -> AdminResponse {
    match reason {
        SwapError::Load(_) | SwapError::TestRequest { .. } => error(StatusCode::UNPROCESSABLE_ENTITY, reason),
        SwapError::Thread(_) | SwapError::Panicked(_) => error(StatusCode::INTERNAL_SERVER_ERROR, reason),
    }
}

/// A value as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> AdminResponse {
    // The values have only fields that JSON can represent, so this does not fail.
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let response = with_header(response, CONTENT_TYPE, HeaderValue::from_static("application/json"));
    with_header(response, CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// Sets a header.
pub(super) fn with_header(mut response: AdminResponse, name: HeaderName, value: HeaderValue) -> AdminResponse {
    response.headers_mut().insert(name, value);
    response
}
