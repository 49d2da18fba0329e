//! Handles the requests to the admin listener.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use tracing::{info, warn};

use super::access::{Access, Denied};
use super::camera_components::CameraComponentsApi;
use super::denial_log::DenialLog;
use super::response::{AdminResponse, error, json, method_not_allowed, swap_error, with_header};
use super::uploads::{UPLOAD_LIMITS, Uploads};
use crate::http::auth::{self, Rate, Throttle};
use crate::http::health::Health;
use crate::http::limits::client_network;
use crate::http::peer::Peer;
use crate::http::policy::SecurityHeaders;
use crate::logging::AUDIT_TARGET;
use crate::sandbox::{Origin, RequestBody};
use crate::status::Collector;
use crate::status::responses::{self, METRICS_PATH};
use crate::swap::ActiveGuest;

/// How many wrong tokens a client may send. A person with a wrong token does not notice; a program can try 86,400 per day,
/// but needs about 10¹⁹.
const GUESSES: Rate = Rate { burst: 10, recovery: Duration::from_secs(1) };

/// How much of a request's path is logged, in characters.
const LOGGED_PATH_LENGTH: usize = 200;

/// The service of the admin listener.
pub struct AdminApi {
    active_guest: ActiveGuest,
    cameras: CameraComponentsApi,
    access: Access,
    collector: Collector,
    health: Health,
    reload: ReloadConfiguration,
    uploads: Uploads,
    throttle: Throttle,
    denial_log: DenialLog,
}

/// Reloads the configuration. Returns a report of what has changed, or why nothing has.
pub type ReloadConfiguration =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<serde_json::Value, NotReloaded>> + Send>> + Send + Sync>;

/// Why the configuration was not reloaded.
pub struct NotReloaded {
    /// Whether the same configuration may be usable later.
    pub is_temporary: bool,
    /// The reason, for people.
    pub reason: String,
}

impl AdminApi {
    /// Serves requests that have `access`, among them what `collector` collects. Everyone may check the health.
    /// `reload` reloads the configuration.
    pub fn new(collector: Collector, health: Health, access: Access, reload: ReloadConfiguration) -> Self {
        Self {
            active_guest: collector.active_guest.clone(),
            cameras: CameraComponentsApi { drivers: collector.drivers.clone(), filters: collector.filters.clone() },
            access,
            collector,
            health,
            reload,
            uploads: Uploads::new(),
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
        if !body.is_end_stream() {
            // hyper may close the connection, and the client must know (RFC 9112, section 9.6).
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    /// Returns the response to a request without access.
    async fn admit(&self, head: &mut Parts) -> Result<(), AdminResponse> {
        let network = head.extensions.get::<Peer>().and_then(|peer| peer.ip()).map(client_network);
        if self.access.needs_token() && self.throttle.wait(network).is_some() {
            return Err(error(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens, try again in a second"));
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
                Err(NotReloaded { is_temporary: true, reason }) => error(StatusCode::SERVICE_UNAVAILABLE, reason),
                Err(NotReloaded { reason, .. }) => error(StatusCode::UNPROCESSABLE_ENTITY, reason),
            },
            ("/config/reload", _) => method_not_allowed("POST"),
            ("/status", method) => responses::status(&self.collector, method),
            (METRICS_PATH, method) => responses::metrics(&self.collector, method),
            ("/cameras", &Method::GET | &Method::HEAD) => json(StatusCode::OK, &self.cameras.reports()),
            ("/cameras", _) => method_not_allowed("GET, HEAD"),
            _ => match path.strip_prefix("/cameras/") {
                Some(rest) => self.cameras.respond(rest, head, body, &self.uploads).await,
                None => error(
                    StatusCode::NOT_FOUND,
                    "not found; this server has /status, /metrics, /guest, /guest/rollback, /config/reload, /cameras, \
                     /cameras/NAME and /cameras/NAME/filters/N",
                ),
            },
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

    async fn put_guest(&self, headers: &HeaderMap, body: &mut RequestBody<Incoming>) -> AdminResponse {
        let (_permit, candidate) = match self.uploads.receive(Origin::Upload, headers, body).await {
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

fn deny_user(reason: auth::Denied) -> AdminResponse {
    let mut response = error(reason.status(), reason);
    reason.insert_headers(response.headers_mut());
    response
}
