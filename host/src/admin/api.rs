//! Handles the requests to the admin listener.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;

use super::access::{Access, Denied};
use super::throttle::Throttle;
use crate::http::peer::Peer;
use crate::http::policy::SecurityHeaders;
use crate::sandbox::{BodyError, BodyLimits, COMPONENT_LIMIT, Candidate, LoadError, Origin, RequestBody};
use crate::swap::{ActiveGuest, SwapError};

/// How many uploads may be in progress: each can hold [`COMPONENT_LIMIT`] of memory.
const MAX_UPLOADS: usize = 2;

/// The slowest upload accepted: 1 Mbit/s, with no pause of more than five seconds. A slower client would keep others
/// out.
const UPLOAD_LIMITS: BodyLimits = BodyLimits { idle_timeout: Duration::from_secs(5), min_rate: 128 << 10 };

/// How long an upload may take in total: the largest component at 5 Mbit/s.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// How much of a request's path is logged, in characters.
const LOGGED_PATH_LENGTH: usize = 200;

/// How long the rest of an unwanted body is read and discarded: enough for about a gigabyte on the local machine.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// The service of the admin listener.
pub struct AdminApi {
    active_guest: ActiveGuest,
    access: Access,
    uploads: Semaphore,
    throttle: Throttle,
}

/// The body of an error response.
#[derive(Serialize)]
struct ErrorBody {
    error: String,
}

type AdminResponse = Response<Full<Bytes>>;

impl AdminApi {
    /// Serves requests that have `access`.
    pub fn new(active_guest: ActiveGuest, access: Access) -> Self {
        Self { active_guest, access, uploads: Semaphore::new(MAX_UPLOADS), throttle: Throttle::new() }
    }

    /// Handles a request. Errors are part of the response.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<AdminResponse, Infallible> {
        let (head, body) = request.into_parts();
        let mut body = RequestBody::new(body, UPLOAD_LIMITS);
        let mut response = self.respond(&head, &mut body).await;
        SecurityHeaders::new().insert(response.headers_mut());
        // A client that waits for `100 Continue` has not sent the body.
        if !head.headers.contains_key(EXPECT) {
            discard(&mut body).await;
        }
        Ok(response)
    }

    async fn respond(&self, head: &Parts, body: &mut RequestBody<Incoming>) -> AdminResponse {
        let path = head.uri.path();
        let peer = head.extensions.get::<Peer>().and_then(|peer| peer.ip());
        if self.access.needs_token() && self.throttle.is_throttled(peer) {
            let response = error(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens, try again in a second");
            return with_header(response, RETRY_AFTER, "1");
        }
        if let Err(denied) = self.access.check(head) {
            return self.deny(head, peer, &denied);
        }
        match (path, &head.method) {
            ("/guest", &Method::GET | &Method::HEAD) => self.report(),
            ("/guest", &Method::PUT) => self.put(&head.headers, body).await,
            ("/guest", _) => method_not_allowed("GET, HEAD, PUT"),
            ("/guest/rollback", &Method::POST) => match self.active_guest.roll_back() {
                Ok(()) => self.report(),
                Err(reason) => error(StatusCode::CONFLICT, reason),
            },
            ("/guest/rollback", _) => method_not_allowed("POST"),
            _ => error(StatusCode::NOT_FOUND, "not found; this server has /guest and /guest/rollback"),
        }
    }

    fn deny(&self, head: &Parts, peer: Option<IpAddr>, denied: &Denied) -> AdminResponse {
        if *denied == Denied::Token {
            self.throttle.record_failure(peer);
        }
        if let Some(suppressed) = self.throttle.permit_log() {
            let path: String = head.uri.path().chars().take(LOGGED_PATH_LENGTH).collect();
            let more = if suppressed > 0 { format!(" (and {suppressed} more before)") } else { String::new() };
            warn!("admin: denied {} {}: {denied}{more}", head.method, path.escape_debug());
        }
        match denied {
            Denied::Request(reason) => error(reason.status(), reason),
            Denied::Origin => error(StatusCode::FORBIDDEN, denied),
            Denied::Token => with_header(error(StatusCode::UNAUTHORIZED, denied), WWW_AUTHENTICATE, "Bearer"),
        }
    }

    fn report(&self) -> AdminResponse {
        json(StatusCode::OK, &self.active_guest.report())
    }

    async fn put(&self, headers: &HeaderMap, body: &mut RequestBody<Incoming>) -> AdminResponse {
        let Ok(_permit) = self.uploads.try_acquire() else {
            let response = error(StatusCode::SERVICE_UNAVAILABLE, "other uploads are in progress, try again soon");
            return with_header(response, RETRY_AFTER, "1");
        };
        let received = match content_length(headers) {
            Some(length) if length > COMPONENT_LIMIT => Ok(None),
            _ => timeout(UPLOAD_TIMEOUT, receive(body)).await.unwrap_or(Err(BodyError::TimedOut)),
        };
        let bytes = match received {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let reason = LoadError::TooLarge(Origin::Upload);
                warn!("guest not replaced: {reason}");
                return error(StatusCode::PAYLOAD_TOO_LARGE, reason);
            }
            Err(cause) => {
                let (status, reason) = match cause {
                    BodyError::TimedOut => (StatusCode::REQUEST_TIMEOUT, "the upload took too long"),
                    BodyError::Aborted => (StatusCode::BAD_REQUEST, "the upload was cut off"),
                };
                warn!("guest not replaced: {reason}");
                return error(status, reason);
            }
        };
        let candidate = tokio::task::spawn_blocking(move || Candidate::new(Origin::Upload, bytes)).await;
        let Ok(candidate) = candidate else {
            return error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the component cannot be read because of a bug in hotshoe",
            );
        };
        match self.active_guest.replace(candidate).await {
            Ok(()) => self.report(),
            Err(reason @ (SwapError::Load(_) | SwapError::TestRequest { .. })) => {
                error(StatusCode::UNPROCESSABLE_ENTITY, reason)
            }
            Err(reason) => error(StatusCode::INTERNAL_SERVER_ERROR, reason),
        }
    }
}

/// The value of `Content-Length`.
fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a body. Returns `None` if it is too large.
async fn receive(body: &mut RequestBody<Incoming>) -> Result<Option<Vec<u8>>, BodyError> {
    let mut bytes = Vec::new();
    loop {
        let Some(frame) = body.frame().await else { return Ok(Some(bytes)) };
        let Ok(frame) = frame else { return Err(body.error().unwrap_or(BodyError::Aborted)) };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > COMPONENT_LIMIT {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
}

/// Reads and discards the rest of a body, for a limited time. If the connection closed while the client still sends,
/// the client would not see the response.
async fn discard(body: &mut RequestBody<Incoming>) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = timeout(DISCARD_TIME, rest).await;
}

fn method_not_allowed(allowed: &'static str) -> AdminResponse {
    let response = error(StatusCode::METHOD_NOT_ALLOWED, format!("allowed methods: {allowed}"));
    with_header(response, ALLOW, allowed)
}

fn error(status: StatusCode, reason: impl ToString) -> AdminResponse {
    json(status, &ErrorBody { error: reason.to_string() })
}

fn json(status: StatusCode, value: &impl Serialize) -> AdminResponse {
    // The values have only fields that JSON can represent, so this does not fail.
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let response = with_header(response, CONTENT_TYPE, "application/json");
    with_header(response, CACHE_CONTROL, "no-store")
}

fn with_header(mut response: AdminResponse, name: HeaderName, value: &'static str) -> AdminResponse {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}
