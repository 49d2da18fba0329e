//! Handles the requests to the admin listener.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tracing::{info, warn};

use super::access::{Access, Denied};
use super::denial_log::DenialLog;
use crate::drivers::{DriverSlot, Drivers};
use crate::http::auth::{self, Rate, Throttle};
use crate::http::health::Health;
use crate::http::limits::client_network;
use crate::http::peer::Peer;
use crate::http::policy::SecurityHeaders;
use crate::logging::AUDIT_TARGET;
use crate::sandbox::{
    BodyError, BodyLimits, COMPONENT_LIMIT, CameraComponent as _, Candidate, LoadError, LoadedDriver, Origin,
    RequestBody,
};
use crate::status::Collector;
use crate::status::responses::{self, METRICS_PATH};
use crate::swap::{ActiveGuest, SwapError};

/// How many uploads may be in progress: each can hold [`COMPONENT_LIMIT`] of memory.
const MAX_UPLOADS: usize = 2;

/// The slowest upload accepted: 1 Mbit/s, with no pause of more than five seconds. A slower client would keep others
/// out.
const UPLOAD_LIMITS: BodyLimits = BodyLimits { idle_timeout: Duration::from_secs(5), min_rate: 128 << 10 };

/// How long an upload may take in total: the largest component at 5 Mbit/s.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// How many wrong tokens a client may send. A person with a wrong token does not notice; a program can try 86,400 per day,
/// but needs about 10¹⁹.
const GUESSES: Rate = Rate { burst: 10, recovery: Duration::from_secs(1) };

/// How much of a request's path is logged, in characters.
const LOGGED_PATH_LENGTH: usize = 200;

/// How long the rest of an unwanted body is read and discarded: enough for a component that is too large, also on a slow
/// machine.
const DISCARD_TIME: Duration = Duration::from_secs(10);

/// The service of the admin listener.
pub struct AdminApi {
    active_guest: ActiveGuest,
    drivers: Drivers,
    access: Access,
    collector: Collector,
    health: Health,
    reload: ReloadConfiguration,
    uploads: Semaphore,
    throttle: Throttle,
    denial_log: DenialLog,
}

/// Reloads the configuration. Returns a report of what has changed, or why nothing has.
pub type ReloadConfiguration =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<serde_json::Value, String>> + Send>> + Send + Sync>;

/// The body of an error response.
#[derive(Serialize)]
struct ErrorBody {
    error: String,
}

type AdminResponse = Response<Full<Bytes>>;

impl AdminApi {
    /// Serves requests that have `access`, among them what `collector` collects. Everyone may check the health.
    /// `reload` reloads the configuration.
    pub fn new(collector: Collector, health: Health, access: Access, reload: ReloadConfiguration) -> Self {
        Self {
            active_guest: collector.active_guest.clone(),
            drivers: collector.drivers.clone(),
            access,
            collector,
            health,
            reload,
            uploads: Semaphore::new(MAX_UPLOADS),
            throttle: Throttle::new(GUESSES),
            denial_log: DenialLog::new(),
        }
    }

    /// Handles a request. Errors are part of the response.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<AdminResponse, Infallible> {
        let (mut head, body) = request.into_parts();
        let mut body = RequestBody::new(body, UPLOAD_LIMITS);
        let mut response = match self.health.answer(&head) {
            Some(response) => response,
            None => match self.admit(&mut head).await {
                Ok(()) => self.respond(&head, &mut body).await,
                Err(response) => response,
            },
        };
        audit(&head, response.status());
        SecurityHeaders::new().insert(response.headers_mut());
        // A client that waits for `100 Continue` has not sent the body.
        if !head.headers.contains_key(EXPECT) {
            discard(&mut body).await;
        }
        Ok(response)
    }

    /// Returns the response to a request without access.
    async fn admit(&self, head: &mut Parts) -> Result<(), AdminResponse> {
        let network = head.extensions.get::<Peer>().and_then(|peer| peer.ip()).map(client_network);
        if self.access.needs_token() && self.throttle.wait(network).is_some() {
            let response = error(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens, try again in a second");
            return Err(with_header(response, RETRY_AFTER, HeaderValue::from_static("1")));
        }
        self.access.check(head).await.map_err(|denied| self.deny(head, network, &denied))
    }

    async fn respond(&self, head: &Parts, body: &mut RequestBody<Incoming>) -> AdminResponse {
        let path = head.uri.path();
        match (path, &head.method) {
            ("/guest", &Method::GET | &Method::HEAD) => self.report(),
            ("/guest", &Method::PUT) => self.put_guest(&head.headers, body).await,
            ("/guest", _) => method_not_allowed("GET, HEAD, PUT"),
            ("/guest/rollback", &Method::POST) => match self.active_guest.roll_back() {
                Ok(()) => self.report(),
                Err(reason) => error(StatusCode::CONFLICT, reason),
            },
            ("/guest/rollback", _) => method_not_allowed("POST"),
            ("/config/reload", &Method::POST) => match (self.reload)().await {
                Ok(report) => json(StatusCode::OK, &report),
                Err(reason) => error(StatusCode::UNPROCESSABLE_ENTITY, reason),
            },
            ("/config/reload", _) => method_not_allowed("POST"),
            ("/status", method) => responses::status(&self.collector, method),
            (METRICS_PATH, method) => responses::metrics(&self.collector, method),
            ("/cameras", &Method::GET | &Method::HEAD) => self.report_drivers(),
            ("/cameras", _) => method_not_allowed("GET, HEAD"),
            _ => match path.strip_prefix("/cameras/") {
                Some(rest) => self.respond_for_camera(rest, head, body).await,
                None => error(
                    StatusCode::NOT_FOUND,
                    "not found; this server has /status, /metrics, /guest, /guest/rollback, /config/reload, /cameras and \
                     /cameras/NAME",
                ),
            },
        }
    }

    /// Responds to a request for `/cameras/NAME` or `/cameras/NAME/rollback`. `rest` is what follows `/cameras/`.
    async fn respond_for_camera(&self, rest: &str, head: &Parts, body: &mut RequestBody<Incoming>) -> AdminResponse {
        let (name, is_rollback) = rest.strip_suffix("/rollback").map_or((rest, false), |name| (name, true));
        let Some(driver) = self.drivers.get(name) else {
            // What runs on this machine, such as the program of `exec:`, cannot be configured here.
            return error(
                StatusCode::NOT_FOUND,
                "no camera with this name has a driver (--camera NAME=component:FILE)",
            );
        };
        match (is_rollback, &head.method) {
            (false, &Method::GET | &Method::HEAD) => json(StatusCode::OK, &driver.report()),
            (false, &Method::PUT) => self.put_driver(driver, &head.headers, body).await,
            (false, _) => method_not_allowed("GET, HEAD, PUT"),
            (true, &Method::POST) => match driver.roll_back() {
                Ok(()) => json(StatusCode::OK, &driver.report()),
                Err(reason) => error(StatusCode::CONFLICT, reason),
            },
            (true, _) => method_not_allowed("POST"),
        }
    }

    fn deny(&self, head: &Parts, network: Option<IpAddr>, denied: &Denied) -> AdminResponse {
        if *denied == Denied::Token {
            self.throttle.record_failure(network);
        }
        if let Some(suppressed) = self.denial_log.permit() {
            let path = logged_path(head);
            let more = if suppressed > 0 { format!(" (and {suppressed} more before)") } else { String::new() };
            warn!(target: AUDIT_TARGET, "admin: denied {} {path}: {denied}{more}", head.method);
        }
        match denied {
            Denied::Request(reason) => error(reason.status(), reason),
            Denied::Origin => error(StatusCode::FORBIDDEN, denied),
            Denied::Token => {
                let challenge = HeaderValue::from_static("Bearer");
                with_header(error(StatusCode::UNAUTHORIZED, denied), WWW_AUTHENTICATE, challenge)
            }
            Denied::User(reason) => deny_user(*reason),
        }
    }

    fn report(&self) -> AdminResponse {
        json(StatusCode::OK, &self.active_guest.report())
    }

    fn report_drivers(&self) -> AdminResponse {
        let reports: Vec<_> = self.drivers.iter().map(DriverSlot::report).collect();
        json(StatusCode::OK, &reports)
    }

    async fn put_guest(&self, headers: &HeaderMap, body: &mut RequestBody<Incoming>) -> AdminResponse {
        let (_permit, candidate) = match self.receive_component(Origin::Upload, headers, body).await {
            Ok(received) => received,
            Err(refused) => {
                refused.log("guest");
                return refused.response;
            }
        };
        match self.active_guest.replace(candidate).await {
            Ok(()) => self.report(),
            Err(reason) => swap_error(&reason),
        }
    }

    async fn put_driver(
        &self,
        driver: &DriverSlot,
        headers: &HeaderMap,
        body: &mut RequestBody<Incoming>,
    ) -> AdminResponse {
        let role = LoadedDriver::ROLE;
        let (_permit, candidate) = match self.receive_component(Origin::CameraUpload { role }, headers, body).await {
            Ok(received) => received,
            Err(refused) => {
                refused.log(&format!("{role} of camera {}", driver.camera()));
                return refused.response;
            }
        };
        match driver.replace(candidate).await {
            Ok(()) => json(StatusCode::OK, &driver.report()),
            Err(reason) => swap_error(&reason),
        }
    }

    /// Receives a component. The permit is one of the places for uploads, to be held until the component is installed.
    async fn receive_component(
        &self,
        origin: Origin,
        headers: &HeaderMap,
        body: &mut RequestBody<Incoming>,
    ) -> Result<(SemaphorePermit<'_>, Result<Candidate, LoadError>), RefusedUpload> {
        let Ok(permit) = self.uploads.try_acquire() else {
            let response = error(StatusCode::SERVICE_UNAVAILABLE, "other uploads are in progress, try again soon");
            return Err(RefusedUpload {
                reason: None,
                response: with_header(response, RETRY_AFTER, HeaderValue::from_static("1")),
            });
        };
        let received = match content_length(headers) {
            Some(length) if length > COMPONENT_LIMIT => Ok(None),
            _ => timeout(UPLOAD_TIMEOUT, receive(body)).await.unwrap_or(Err(BodyError::TimedOut)),
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

/// Logs a request that may have changed something, and from whom it came.
fn audit(head: &Parts, status: StatusCode) {
    if !matches!(head.method, Method::GET | Method::HEAD) && !is_denied(status) {
        let client = head.extensions.get::<Peer>().map(ToString::to_string).unwrap_or_default();
        let path = logged_path(head);
        info!(target: AUDIT_TARGET, "admin: {} {path} from {client}: {}", head.method, status.as_u16());
    }
}

/// Whether a request had no access. Such requests are logged elsewhere, and anyone can send any number of them.
fn is_denied(status: StatusCode) -> bool {
    [401, 403, 421, 429].contains(&status.as_u16())
}

fn logged_path(head: &Parts) -> String {
    let path: String = head.uri.path().chars().take(LOGGED_PATH_LENGTH).collect();
    path.escape_debug().to_string()
}

/// An upload that was not received.
struct RefusedUpload {
    /// For the log.
    reason: Option<String>,
    response: AdminResponse,
}

impl RefusedUpload {
    fn new(status: StatusCode, reason: String) -> Self {
        Self { response: error(status, &reason), reason: Some(reason) }
    }

    /// `what` is what the component would have replaced.
    fn log(&self, what: &str) {
        if let Some(reason) = &self.reason {
            warn!("{what} not replaced: {reason}");
        }
    }
}

fn deny_user(reason: auth::Denied) -> AdminResponse {
    let mut response = error(reason.status(), reason);
    if let Some(challenge) = reason.challenge() {
        response = with_header(response, WWW_AUTHENTICATE, challenge);
    }
    match reason.retry_after() {
        Some(seconds) => with_header(response, RETRY_AFTER, seconds.into()),
        None => response,
    }
}

fn swap_error(reason: &SwapError) -> AdminResponse {
    match reason {
        SwapError::Load(_) | SwapError::TestRequest { .. } => error(StatusCode::UNPROCESSABLE_ENTITY, reason),
        SwapError::Thread(_) | SwapError::Panicked(_) => error(StatusCode::INTERNAL_SERVER_ERROR, reason),
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
    with_header(response, ALLOW, HeaderValue::from_static(allowed))
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
    let response = with_header(response, CONTENT_TYPE, HeaderValue::from_static("application/json"));
    with_header(response, CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

fn with_header(mut response: AdminResponse, name: HeaderName, value: HeaderValue) -> AdminResponse {
    response.headers_mut().insert(name, value);
    response
}
