//! Responses that do not come from the guest: one line of text that says why.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

use crate::sandbox::CallError;

/// How many seconds a client should wait before it retries. Capacity becomes free within a second: viewers come and go.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// The methods that a guest may answer.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS, POST");

/// Returns a response of one line: the status code and `reason`.
pub fn text(status: StatusCode, reason: &str) -> Response<Full<Bytes>> {
    let line = format!("{} {reason}\n", status.as_u16());
    let mut response = Response::new(Full::new(Bytes::from(line)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::REQUEST_TIMEOUT {
        // The server does not wait for the rest of the request (RFC 9110, section 15.5.9).
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    insert_retry_after(status, headers);
    response
}

/// Says when to try again, after a status that means that it is worth it.
pub fn insert_retry_after(status: StatusCode, headers: &mut HeaderMap) {
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
}

/// Returns the response to a request with this method for something that can only be read. `None` for GET and HEAD.
pub fn only_read(method: &Method) -> Option<Response<Full<Bytes>>> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "allowed methods: GET, HEAD");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    Some(response)
}

/// Returns the response to a request with the method CONNECT.
pub fn connect_not_allowed() -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "this server is not a proxy");
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

/// Returns the response to `OPTIONS *`, which asks about the server as a whole (RFC 9110, section 9.3.7).
pub fn server_options() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

/// Returns the status and the text of the response to an error. The details only go to the log: they could reveal the
/// guest's internals.
pub fn describe(error: &CallError) -> (StatusCode, &'static str) {
    match error {
        CallError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid request"),
        CallError::RequestBodyTimedOut => {
            (StatusCode::REQUEST_TIMEOUT, "the request body did not arrive in time, try again")
        }
        CallError::RequestBodyAborted => (StatusCode::BAD_REQUEST, "invalid or incomplete request body"),
        CallError::OutOfResources(_) => (StatusCode::SERVICE_UNAVAILABLE, "server out of resources, try again soon"),
        CallError::PoolExhausted => (StatusCode::SERVICE_UNAVAILABLE, "server at capacity, try again soon"),
        CallError::Trapped(_) => (StatusCode::BAD_GATEWAY, "the guest failed, see the server's log"),
        CallError::NoResponse
        | CallError::InformationalStatus(_)
        | CallError::Unfinished
        | CallError::Replaced
        | CallError::CameraRemoved
        | CallError::NoPublisher => (StatusCode::BAD_GATEWAY, "the guest did not answer"),
        CallError::ErrorCode(_) => (StatusCode::BAD_GATEWAY, "the guest refused the request, see the server's log"),
        CallError::TimedOut(_) | CallError::ComputeLimit => {
            (StatusCode::GATEWAY_TIMEOUT, "the guest did not answer in time")
        }
    }
}
