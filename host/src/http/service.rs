//! One request: is there room for it, what does the guest answer, and if nothing, what is the client told?

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ORIGIN, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, warn};
use wasmtime_wasi_http::Error as HttpError;

use crate::channels::Viewer;
use crate::chunks::Chunks;
use crate::guest::CallError;
use crate::line::Line;
use crate::swap::{Generations, Served, ServedBody};

use super::cors::Cors;

/// How long a client that found no room should wait: viewers come and go by the second.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// The most of a path that is put into the log for one request.
const LOGGED_PATH: usize = 200;

/// Answers requests by the guest that serves at that moment, within bounds.
pub struct Service {
    generations: Generations,
    /// A permit for each request that is being answered, kept by the response's body.
    room: Arc<Semaphore>,
    cors: Cors,
}

impl Service {
    /// Answer at most `max_requests` at a time.
    pub fn new(generations: Generations, max_requests: u32, cors: Cors) -> Self {
        Self { generations, room: Arc::new(Semaphore::new(max_requests as usize)), cors }
    }

    /// Answer one request. Never fails: where the guest has no answer, the response says why.
    pub async fn answer(&self, request: Request<hyper::body::Incoming>) -> Result<Response<ServiceBody>, Infallible> {
        if let Some(response) = self.cors.preflight(&request) {
            return Ok(response.map(ServiceBody::Host));
        }
        let origin = request.headers().get(ORIGIN).cloned();
        let mut response = self.answer_by_guest(request).await;
        self.cors.mark(origin.as_ref(), response.headers_mut());
        Ok(response)
    }

    async fn answer_by_guest(&self, mut request: Request<hyper::body::Incoming>) -> Response<ServiceBody> {
        let label = label(&request);
        debug!("{label}");
        if request.method() == Method::CONNECT {
            let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "this is not a proxy");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
            return response;
        }
        let Ok(permit) = self.room.clone().try_acquire_owned() else {
            warn!("{label}: 503, all places are taken; see --max-requests");
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "all places are taken, try again soon");
        };
        let line = request.extensions_mut().remove::<Line>().filter(|_| request.version() == Version::HTTP_11);
        // Only a guest that reads the request's body ever sees this error.
        let request = request.map(|body| body.map_err(|_| HttpError::HttpProtocolError));
        match self.generations.answer(request, &label).await {
            Ok(response) => {
                let line = line.filter(|_| is_chunked(response.headers()));
                response.map(|body| match body {
                    Served::Own(body) => ServiceBody::Guest { body, _permit: permit },
                    Served::Shared(mut viewer) => {
                        line.into_iter().for_each(|line| viewer.sends_by(line));
                        ServiceBody::Channel { viewer, _permit: permit }
                    }
                })
            }
            Err(error) => {
                let (status, told) = told(&error);
                warn!("{label}: {}, {error}", status.as_u16());
                refusal(status, told)
            }
        }
    }
}

/// Whether hyper sends a body of unknown length as chunks, each piece of it as one, to a client of HTTP/1.1: it does
/// unless the guest has said something else about how long it is.
fn is_chunked(headers: &HeaderMap) -> bool {
    !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING)
}

/// Names a request in the log: `GET /video_feed`. What a client sends can't forge lines of the log.
fn label<B>(request: &Request<B>) -> String {
    let printable = |char: char| if char.is_ascii_graphic() { char } else { '?' };
    let path: String = request.uri().path().chars().take(LOGGED_PATH).map(printable).collect();
    format!("{} {path}", request.method())
}

/// What a client is told of an error. The details are for the log: they could tell of the guest's inside.
fn told(error: &CallError) -> (StatusCode, &'static str) {
    match error {
        CallError::BadRequest(_) => (StatusCode::BAD_REQUEST, "this request cannot be understood"),
        CallError::NoRoom => (StatusCode::SERVICE_UNAVAILABLE, "all places are taken, try again soon"),
        CallError::Trapped(_) => {
            (StatusCode::BAD_GATEWAY, "the guest failed on this request; the server's log says how")
        }
        CallError::NoAnswer | CallError::Unfinished | CallError::Replaced | CallError::NoPublisher => {
            (StatusCode::BAD_GATEWAY, "the guest gave no answer to this request")
        }
        CallError::Refused(_) => (StatusCode::BAD_GATEWAY, "the guest refused this request; the server's log says how"),
        CallError::TimedOut(_) | CallError::Spun => (StatusCode::GATEWAY_TIMEOUT, "the guest did not answer in time"),
    }
}

/// A response of the host's own: one line of text.
fn refusal(status: StatusCode, line: &str) -> Response<ServiceBody> {
    let text = format!("{} {line}\n", status.as_u16());
    let mut response = Response::new(ServiceBody::Host(Full::new(Bytes::from(text))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    response
}

/// The body of a response.
pub enum ServiceBody {
    /// The guest's, with its place among the requests.
    Guest {
        /// The body. Boxed, since it is much larger than the others.
        body: Box<ServedBody>,
        /// Given back when the body is dropped.
        _permit: OwnedSemaphorePermit,
    },
    /// A channel's, with its viewer's place among the requests.
    Channel {
        /// The body.
        viewer: Viewer,
        /// Given back when the body is dropped.
        _permit: OwnedSemaphorePermit,
    },
    /// A line of the host's.
    Host(Full<Bytes>),
}

impl Body for ServiceBody {
    type Data = Chunks;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunks>, Self::Error>>> {
        match self.get_mut() {
            Self::Guest { body, .. } => Pin::new(body).poll_frame(context).map_err(Into::into),
            Self::Channel { viewer, .. } => Pin::new(viewer).poll_frame(context).map_err(Into::into),
            Self::Host(body) => Pin::new(body).poll_frame(context).map(|frame| {
                frame.map(|frame| frame.map(|frame| frame.map_data(Chunks::from)).map_err(|never| match never {}))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Guest { body, .. } => body.is_end_stream(),
            Self::Channel { viewer, .. } => viewer.is_end_stream(),
            Self::Host(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Guest { body, .. } => body.size_hint(),
            Self::Channel { viewer, .. } => viewer.size_hint(),
            Self::Host(body) => body.size_hint(),
        }
    }
}
