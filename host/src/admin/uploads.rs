//! Receives the components that are sent to the admin listener.

use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tracing::warn;

use super::response::{AdminResponse, error};
use crate::sandbox::{BodyError, BodyLimits, COMPONENT_LIMIT, Candidate, LoadError, Origin, RequestBody};

/// How many uploads may be in progress: each can hold [`COMPONENT_LIMIT`] of memory.
const MAX_UPLOADS: usize = 2;

/// The slowest upload accepted: 1 Mbit/s, with no pause of more than five seconds. A slower client would keep others
/// out.
pub(super) const UPLOAD_LIMITS: BodyLimits = BodyLimits { idle_timeout: Duration::from_secs(5), min_rate: 128 << 10 };

/// How long an upload may take in total: the largest component at 5 Mbit/s.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// Limits how many components are received at the same time.
pub(super) struct Uploads(Semaphore);

impl Uploads {
    /// Admits [`MAX_UPLOADS`] at a time.
    pub(super) fn new() -> Self {
        Self(Semaphore::new(MAX_UPLOADS))
    }

    /// Receives a component. The permit is one of the places for uploads, to be held until the component is installed.
    pub(super) async fn receive(
        &self,
        origin: Origin,
        headers: &HeaderMap,
        body: &mut RequestBody<Incoming>,
    ) -> Result<(SemaphorePermit<'_>, Result<Candidate, LoadError>), RefusedUpload> {
        let Ok(permit) = self.0.try_acquire() else {
            let response = error(StatusCode::SERVICE_UNAVAILABLE, "other uploads are in progress, try again soon");
            return Err(RefusedUpload { reason: None, response });
        };
        let received = match content_length(headers) {
            Some(length) if length > COMPONENT_LIMIT => Ok(None),
            _ => timeout(UPLOAD_TIMEOUT, read(body)).await.unwrap_or(Err(BodyError::TimedOut)),
        };
        let bytes = match received {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let reason = LoadError::TooLarge(origin).to_string();
                return Err(RefusedUpload::new(StatusCode::PAYLOAD_TOO_LARGE, reason));
            }
            Err(BodyError::TimedOut) => {
                return Err(RefusedUpload::new(StatusCode::REQUEST_TIMEOUT, "the upload took too long".to_owned()));
            }
            Err(BodyError::Aborted) => {
                return Err(RefusedUpload::new(StatusCode::BAD_REQUEST, "the upload was cut off".to_owned()));
            }
        };
        match tokio::task::spawn_blocking(move || Candidate::new(origin, bytes)).await {
            Ok(candidate) => Ok((permit, candidate)),
            Err(_) => {
                let reason = "the component cannot be read because of a bug in hotshoe".to_owned();
                Err(RefusedUpload::new(StatusCode::INTERNAL_SERVER_ERROR, reason))
            }
        }
    }
}

/// An upload that was not received.
pub(super) struct RefusedUpload {
    /// For the log.
    reason: Option<String>,
    /// For the client.
    pub(super) response: AdminResponse,
}

impl RefusedUpload {
    fn new(status: StatusCode, reason: String) -> Self {
        Self { response: error(status, &reason), reason: Some(reason) }
    }

    /// Logs why. `what` is what the component would have replaced.
    pub(super) fn log(&self, what: &str) {
        if let Some(reason) = &self.reason {
            warn!("{what} not replaced: {reason}");
        }
    }
}

/// The value of `Content-Length`.
fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a body. Returns `None` if it is too large.
async fn read(body: &mut RequestBody<Incoming>) -> Result<Option<Vec<u8>>, BodyError> {
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
