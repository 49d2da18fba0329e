//! Seeing and replacing the guest: one request and its answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
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
use crate::swap::{Generations, SwapError};

/// How many components may be under way to here at a time: each may fill [`COMPONENT_LIMIT`] of memory.
const UPLOADS: usize = 2;

/// How slowly a component may come: 1 Mbit/s, and no pause of more than five seconds. A client that is slower would keep its
/// place from others.
const UPLOAD_LIMITS: BodyLimits = BodyLimits { idle_timeout: Duration::from_secs(5), min_rate: 128 << 10 };

/// How long a component may be on its way in all: the largest, at 5 Mbit/s.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// The most of a path that is put into the log for one request.
const LOGGED_PATH: usize = 200;

/// For how long a body that nobody wants is read and thrown away. On this machine that is a gigabyte.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// Answers requests to the admin listener.
pub struct Admin {
    generations: Generations,
    access: Access,
    uploads: Semaphore,
    throttle: Throttle,
}

/// What went wrong, in one line.
#[derive(Serialize)]
struct Failure {
    error: String,
}

type Answer = Response<Full<Bytes>>;

impl Admin {
    /// Replace guests of these generations, for those who are let in.
    pub fn new(generations: Generations, access: Access) -> Self {
        Self { generations, access, uploads: Semaphore::new(UPLOADS), throttle: Throttle::new() }
    }

    /// Answer one request. Never fails: where it can't be done, the answer says why.
    pub async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let (head, body) = request.into_parts();
        let mut body = RequestBody::new(body, UPLOAD_LIMITS);
        let mut answer = self.respond(&head, &mut body).await;
        SecurityHeaders::new().insert(answer.headers_mut());
        // A client that asked before it sends has not sent anything.
        if !head.headers.contains_key(EXPECT) {
            discard(&mut body).await;
        }
        Ok(answer)
    }

    async fn respond(&self, head: &Parts, body: &mut RequestBody<Incoming>) -> Answer {
        let path = head.uri.path();
        let peer = head.extensions.get::<Peer>().and_then(|peer| peer.ip());
        if self.access.needs_token() && self.throttle.is_throttled(peer) {
            let answer = failure(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens, try again in a second");
            return with(answer, RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Err(denied) = self.access.check(head) {
            if denied == Denied::Token {
                self.throttle.note_failure(peer);
            }
            if let Some(before) = self.throttle.may_log() {
                let path: String = path.chars().take(LOGGED_PATH).collect();
                let before = if before > 0 { format!(" (and {before} more before)") } else { String::new() };
                warn!("admin: {} {} is refused: {denied}{before}", head.method, path.escape_debug());
            }
            return match denied {
                Denied::Request(ref error) => failure(error.status(), error),
                Denied::Origin => failure(StatusCode::FORBIDDEN, denied),
                Denied::Token => with(
                    failure(StatusCode::UNAUTHORIZED, denied),
                    WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer"),
                ),
            };
        }
        match (path, &head.method) {
            ("/guest", &Method::GET | &Method::HEAD) => self.report(),
            ("/guest", &Method::PUT) => self.put(&head.headers, body).await,
            ("/guest", _) => not_allowed("GET, HEAD, PUT"),
            ("/guest/rollback", &Method::POST) => match self.generations.roll_back() {
                Ok(()) => self.report(),
                Err(error) => failure(StatusCode::CONFLICT, error),
            },
            ("/guest/rollback", _) => not_allowed("POST"),
            _ => failure(StatusCode::NOT_FOUND, "there is only /guest and /guest/rollback"),
        }
    }

    fn report(&self) -> Answer {
        json(StatusCode::OK, &self.generations.report())
    }

    async fn put(&self, headers: &HeaderMap, body: &mut RequestBody<Incoming>) -> Answer {
        let Ok(_place) = self.uploads.try_acquire() else {
            let answer = failure(StatusCode::SERVICE_UNAVAILABLE, "other components are being sent, try again soon");
            return with(answer, RETRY_AFTER, HeaderValue::from_static("1"));
        };
        let received = match length(headers) {
            Some(length) if length > COMPONENT_LIMIT => Ok(None),
            _ => timeout(UPLOAD_TIMEOUT, receive(body)).await.unwrap_or(Err(BodyError::TimedOut)),
        };
        let bytes = match received {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let error = LoadError::TooLarge(Origin::Upload);
                warn!("not replaced: {error}");
                return failure(StatusCode::PAYLOAD_TOO_LARGE, error);
            }
            Err(fault) => {
                let (status, error) = match fault {
                    BodyError::TimedOut => (StatusCode::REQUEST_TIMEOUT, "the component did not come in time"),
                    BodyError::Aborted => (StatusCode::BAD_REQUEST, "the component broke off"),
                };
                warn!("not replaced: {error}");
                return failure(status, error);
            }
        };
        let candidate = tokio::task::spawn_blocking(move || Candidate::new(Origin::Upload, bytes)).await;
        let Ok(candidate) = candidate else {
            return failure(StatusCode::INTERNAL_SERVER_ERROR, "the component cannot be looked at");
        };
        match self.generations.offer(candidate).await {
            Ok(()) => self.report(),
            Err(error @ (SwapError::Load(_) | SwapError::Tried { .. })) => {
                failure(StatusCode::UNPROCESSABLE_ENTITY, error)
            }
            Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, error),
        }
    }
}

/// The length that a request announces for its body.
fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Read a body. Returns `None` if it is too large.
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

/// Read what is left of a body, within limits: a client that is still sending when the connection is closed would
/// not see the answer.
async fn discard(body: &mut RequestBody<Incoming>) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    // Whoever sends more than that has had the time to look.
    let _ = timeout(DISCARD_TIME, rest).await;
}

fn not_allowed(allowed: &'static str) -> Answer {
    let answer = failure(StatusCode::METHOD_NOT_ALLOWED, format!("this answers {allowed}"));
    with(answer, ALLOW, HeaderValue::from_static(allowed))
}

fn failure(status: StatusCode, error: impl ToString) -> Answer {
    json(status, &Failure { error: error.to_string() })
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    // No value that is given here can fail to be written as JSON.
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    let answer = with(answer, CONTENT_TYPE, HeaderValue::from_static("application/json"));
    with(answer, CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

fn with(mut answer: Answer, name: http::HeaderName, value: HeaderValue) -> Answer {
    answer.headers_mut().insert(name, value);
    answer
}
