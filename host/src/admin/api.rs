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
use crate::guest::component::COMPONENT_LIMIT;
use crate::guest::{Candidate, LoadError, Origin};
use crate::swap::{Generations, SwapError};

/// How many components may be under way to here at a time: each may fill [`COMPONENT_LIMIT`] of memory.
const UPLOADS: usize = 2;

/// How long a client may take for the next piece of a component.
const PIECE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a component may be on its way in all: the largest, at 5 Mbit/s.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// For how long a body that nobody wants is read and thrown away. On this machine that is a gigabyte.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// Answers requests to the admin listener.
pub struct Admin {
    generations: Generations,
    access: Access,
    uploads: Semaphore,
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
        Self { generations, access, uploads: Semaphore::new(UPLOADS) }
    }

    /// Answer one request. Never fails: where it can't be done, the answer says why.
    pub async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let (head, mut body) = request.into_parts();
        let answer = self.respond(&head, &mut body).await;
        // A client that asked before it sends has not sent anything.
        if !head.headers.contains_key(EXPECT) {
            discard(&mut body).await;
        }
        Ok(answer)
    }

    async fn respond(&self, head: &Parts, body: &mut Incoming) -> Answer {
        let path = head.uri.path();
        if let Err(denied) = self.access.check(&head.headers) {
            warn!("admin: {} {} is refused: {denied}", head.method, path.escape_debug());
            return match denied {
                Denied::Host | Denied::Origin => failure(StatusCode::FORBIDDEN, denied),
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

    async fn put(&self, headers: &HeaderMap, body: &mut Incoming) -> Answer {
        let Ok(_place) = self.uploads.try_acquire() else {
            let answer = failure(StatusCode::SERVICE_UNAVAILABLE, "other components are being sent, try again soon");
            return with(answer, RETRY_AFTER, HeaderValue::from_static("1"));
        };
        let received = match length(headers) {
            Some(length) if length > COMPONENT_LIMIT => Ok(None),
            _ => timeout(UPLOAD_TIMEOUT, receive(body)).await.unwrap_or(Err(TOO_SLOW)),
        };
        let bytes = match received {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let error = LoadError::TooLarge(Origin::Upload);
                warn!("not replaced: {error}");
                return failure(StatusCode::PAYLOAD_TOO_LARGE, error);
            }
            Err(error) => {
                warn!("not replaced: {error}");
                return failure(StatusCode::BAD_REQUEST, error);
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

/// What a client is told whose component does not come.
const TOO_SLOW: &str = "the component did not come in time";

/// Read a body; none if it is too large. Fails with what to tell the client.
async fn receive(body: &mut Incoming) -> Result<Option<Vec<u8>>, &'static str> {
    let mut bytes = Vec::new();
    loop {
        let frame = timeout(PIECE_TIMEOUT, body.frame()).await.map_err(|_| TOO_SLOW)?;
        let Some(frame) = frame else { return Ok(Some(bytes)) };
        let Ok(data) = frame.map_err(|_| "the component broke off")?.into_data() else { continue };
        if bytes.len() + data.len() > COMPONENT_LIMIT {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
}

/// Read what is left of a body, within limits: a client that is still sending when the connection is closed would
/// not see the answer.
async fn discard(body: &mut Incoming) {
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
