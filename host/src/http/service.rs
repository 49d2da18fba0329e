//! One request: is there room for it, what does the guest answer, and if nothing, what is the client told?

use std::convert::Infallible;
use std::error::Error;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, ORIGIN, RETRY_AFTER, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tracing::{debug, warn};

use crate::channels::Joined;
use crate::chunks::Chunks;
use crate::http::stream::line::Line;
use crate::sandbox::CallError;
use crate::swap::{ActiveGuest, DrainableBody, ServedBody};

use super::limits::{Admission, AdmissionError, Permit, client_network};
use super::peer::Peer;
use super::policy::{Cors, RequestGuard, SecurityHeaders};
use super::proxies::{TrustedProxies, forwarded_for};

/// How long a client that found no room should wait: viewers come and go by the second.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// The methods that a guest may answer.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS, POST");

/// The most of a path that is put into the log for one request.
const LOGGED_PATH: usize = 200;

/// Answers requests by the guest that serves at that moment, within bounds.
pub struct Service {
    active_guest: ActiveGuest,
    admission: Admission,
    proxies: TrustedProxies,
    guard: RequestGuard,
    cors: Cors,
    security_headers: SecurityHeaders,
}

impl Service {
    /// Answer those requests that pass `guard`, as many at a time as are admitted. Those that `proxies` forward count for
    /// their clients.
    pub fn new(
        active_guest: ActiveGuest,
        admission: Admission,
        proxies: TrustedProxies,
        guard: RequestGuard,
        cors: Cors,
        security_headers: SecurityHeaders,
    ) -> Self {
        Self { active_guest, admission, proxies, guard, cors, security_headers }
    }

    /// Answer one request. Never fails: where the guest has no answer, the response says why.
    pub async fn answer(&self, request: Request<hyper::body::Incoming>) -> Result<Response<ServiceBody>, Infallible> {
        let (head, body) = request.into_parts();
        let label = label(&head);
        let mut response = match self.refuse(&head, &label) {
            Some(response) => response,
            None => self.answer_allowed(Request::from_parts(head, body), &label).await,
        };
        self.security_headers.insert(response.headers_mut());
        Ok(response)
    }

    /// The address under which the client of this request counts, if it is a reverse proxy's client. Others are counted by
    /// their connections.
    fn client<B>(&self, request: &Request<B>) -> Option<IpAddr> {
        let peer = request.extensions().get::<Peer>()?;
        forwarded_for(request.headers(), *peer, &self.proxies).map(client_network)
    }

    /// The refusal of a request that is not allowed to reach anything else.
    fn refuse(&self, head: &Parts, label: &str) -> Option<Response<ServiceBody>> {
        if head.method == Method::CONNECT {
            let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "this is not a proxy");
            response.headers_mut().insert(ALLOW, METHODS);
            return Some(response);
        }
        let error = self.guard.check(head).err()?;
        warn!(request = label, "{}, {error}", error.status().as_u16());
        Some(refusal(error.status(), &error.to_string()))
    }

    /// Answer a request that the guard let pass.
    async fn answer_allowed(&self, request: Request<hyper::body::Incoming>, label: &str) -> Response<ServiceBody> {
        if let Some(response) = self.cors.preflight(&request) {
            return response.map(ServiceBody::Host);
        }
        // About the server as a whole (RFC 9110, section 9.3.7), which is not the guest's.
        if request.uri().path() == "*" {
            let mut response = Response::new(ServiceBody::Host(Full::default()));
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().insert(ALLOW, METHODS);
            return response;
        }
        let origin = request.headers().get(ORIGIN).cloned();
        let mut response = self.answer_by_guest(request, label).await;
        self.cors.add_headers(origin.as_ref(), response.headers_mut());
        response
    }

    async fn answer_by_guest(&self, mut request: Request<hyper::body::Incoming>, label: &str) -> Response<ServiceBody> {
        debug!(request = label, "received");
        let permit = match self.admission.admit(self.client(&request)) {
            Ok(permit) => permit,
            Err(rejected) => return reject(label, rejected),
        };
        let line = request.extensions_mut().remove::<Line>().filter(|_| request.version() == Version::HTTP_11);
        match self.active_guest.handle(request, label).await {
            Ok(response) => {
                let permit = if response.body().is_stream() { self.admission.admit_stream(permit) } else { Ok(permit) };
                let permit = match permit {
                    Ok(permit) => permit,
                    Err(rejected) => return reject(label, rejected),
                };
                let line = line.filter(|_| is_chunked(response.headers()));
                response.map(|body| match body {
                    ServedBody::Guest(body) => ServiceBody::Guest { body, _permit: permit },
                    ServedBody::Channel(mut viewer) => {
                        line.into_iter().for_each(|line| viewer.sends_by(line));
                        ServiceBody::Channel { viewer, _permit: permit }
                    }
                })
            }
            Err(error) => {
                let (status, told) = told(&error);
                warn!(request = label, "{}, {error}", status.as_u16());
                refusal(status, told)
            }
        }
    }
}

/// The response to a request for which there is no room.
fn reject(label: &str, rejected: AdmissionError) -> Response<ServiceBody> {
    let status = rejected.status();
    warn!(request = label, "{}, {rejected}", status.as_u16());
    refusal(status, &rejected.to_string())
}

/// Whether hyper sends a body of unknown length as chunks, each piece of it as one, to a client of HTTP/1.1: it does
/// unless the guest has said something else about how long it is.
fn is_chunked(headers: &HeaderMap) -> bool {
    !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING)
}

/// Names a request in the log: `GET /video_feed`. What a client sends can't forge lines of the log.
fn label(request: &Parts) -> String {
    let printable = |char: char| if char.is_ascii_graphic() { char } else { '?' };
    let path: String = request.uri.path().chars().take(LOGGED_PATH).map(printable).collect();
    format!("{} {path}", request.method)
}

/// What a client is told of an error. The details are for the log: they could tell of the guest's inside.
fn told(error: &CallError) -> (StatusCode, &'static str) {
    match error {
        CallError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "this request cannot be understood"),
        CallError::RequestBodyTimedOut => {
            (StatusCode::REQUEST_TIMEOUT, "the body of this request did not come in time; try again")
        }
        CallError::RequestBodyAborted => (StatusCode::BAD_REQUEST, "the body of this request cannot be understood"),
        CallError::OutOfResources(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the server has no resources left for this, try again soon")
        }
        CallError::PoolExhausted => (StatusCode::SERVICE_UNAVAILABLE, "server at capacity, try again soon"),
        CallError::Trapped(_) => {
            (StatusCode::BAD_GATEWAY, "the guest failed on this request; the server's log says how")
        }
        CallError::NoResponse | CallError::Unfinished | CallError::Replaced | CallError::NoPublisher => {
            (StatusCode::BAD_GATEWAY, "the guest gave no answer to this request")
        }
        CallError::ErrorCode(_) => {
            (StatusCode::BAD_GATEWAY, "the guest refused this request; the server's log says how")
        }
        CallError::TimedOut(_) | CallError::ComputeLimit => {
            (StatusCode::GATEWAY_TIMEOUT, "the guest did not answer in time")
        }
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
    if status == StatusCode::REQUEST_TIMEOUT {
        // RFC 9110, section 15.5.9: what the client may still send is not waited for.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    response
}

/// The body of a response.
pub enum ServiceBody {
    /// The guest's.
    Guest {
        /// The body. Boxed, since it is much larger than the others.
        body: Box<DrainableBody>,
        /// Given back when the body is dropped.
        _permit: Permit,
    },
    /// A channel's.
    Channel {
        /// The body.
        viewer: Joined,
        /// Given back when the body is dropped.
        _permit: Permit,
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
