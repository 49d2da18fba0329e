//! One request: it is checked, authenticated, admitted, and answered by the guest, or by the host if the guest cannot.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::ORIGIN;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tracing::{debug, warn};

use super::auth::{Authenticator, Caller, Denied, Role};
use super::health::Health;
use super::host_response;
use super::limits::{Admission, AdmissionError, client_network};
use super::observe::{RecordedBody, Recorder, Recording};
use super::peer::Peer;
use super::policy::{Cors, RequestGuard, SecurityHeaders};
use super::proxies::{TrustedProxies, forwarded_for};
use super::service_body::ServiceBody;
use super::stream::viewer_body::is_chunked;
use super::stream::{FanOuts, SharedWriter, ViewerBody};
use crate::logging::AUDIT_TARGET;
use crate::swap::{ActiveGuest, ServedBody};

/// The most characters of a path that are logged.
const LOGGED_PATH: usize = 200;

/// Answers requests with the active guest, within limits.
pub struct Service {
    /// The guest.
    pub active_guest: ActiveGuest,
    /// Send the parts of channels.
    pub fan_outs: FanOuts,
    /// Has capacity for some requests.
    pub admission: Admission,
    /// Requests that they forward count for their clients.
    pub proxies: TrustedProxies,
    /// Checks every request.
    pub guard: RequestGuard,
    /// Decides which users and tokens are admitted.
    pub authenticator: Arc<Authenticator>,
    /// Which pages of other sites may read responses.
    pub cors: Cors,
    /// Headers that every response gets.
    pub security_headers: SecurityHeaders,
    /// Answers health checks.
    pub health: Health,
    /// Records all requests.
    pub recorder: Recorder,
}

impl Service {
    /// Answers one request. If the guest has no answer, the response says why.
    pub async fn answer(&self, request: Request<Incoming>) -> Result<Response<RecordedBody>, Infallible> {
        let (head, body) = request.into_parts();
        let mut recording = self.recorder.begin(&head);
        let label = label(&head);
        let refused = self.refuse(&head, &label);
        let is_refused = refused.is_some();
        let mut response = match refused.or_else(|| self.health.answer(&head)) {
            Some(response) => {
                if !is_refused && response.status().is_success() {
                    recording.leave_out_of_log();
                }
                response.map(ServiceBody::Host)
            }
            None => self.answer_allowed(Request::from_parts(head, body), &label, &mut recording).await,
        };
        self.security_headers.insert(response.headers_mut());
        Ok(RecordedBody::wrap(response, recording))
    }

    /// Returns the address that a reverse proxy's client counts under. `None` for other clients, which count by their
    /// connections.
    fn client<B>(&self, request: &Request<B>) -> Option<IpAddr> {
        let peer = request.extensions().get::<Peer>()?;
        forwarded_for(request.headers(), *peer, &self.proxies).map(client_network)
    }

    /// Returns the response to a request that is not allowed.
    fn refuse(&self, head: &Parts, label: &str) -> Option<Response<Full<Bytes>>> {
        if head.method == Method::CONNECT {
            return Some(host_response::connect_not_allowed());
        }
        let error = self.guard.check(head).err()?;
        warn!(request = label, "{}, {error}", error.status().as_u16());
        Some(host_response::text(error.status(), &error.to_string()))
    }

    /// Answers a request that the guard let pass.
    async fn answer_allowed(
        &self,
        request: Request<Incoming>,
        label: &str,
        recording: &mut Recording,
    ) -> Response<ServiceBody> {
        if let Some(response) = self.cors.preflight(&request) {
            return response.map(ServiceBody::Host);
        }
        if request.uri().path() == "*" {
            return host_response::server_options().map(ServiceBody::Host);
        }
        let origin = request.headers().get(ORIGIN).cloned();
        let (mut head, body) = request.into_parts();
        let role = Role::required_for(&head.method);
        let mut response = match self.authenticator.authorize(&mut head, role).await {
            Ok(caller) => {
                if caller.role().is_some() {
                    recording.set_user(&caller.to_string());
                }
                self.answer_by_guest(Request::from_parts(head, body), label, caller).await
            }
            Err(denied) => {
                self.log_denied(label, &head, denied);
                denied.response().map(ServiceBody::Host)
            }
        };
        self.cors.add_headers(origin.as_ref(), response.headers_mut());
        response
    }

    /// Logs why a request is denied. Browsers and many programs send the first one without credentials.
    fn log_denied(&self, label: &str, head: &Parts, denied: Denied) {
        let status = denied.status().as_u16();
        let client = self.authenticator.client(head);
        match denied {
            Denied::LoginRequired => debug!(request = label, "{status}, {denied}, from {client}"),
            _ => warn!(target: AUDIT_TARGET, request = label, "{status}, {denied}, from {client}"),
        }
    }

    async fn answer_by_guest(
        &self,
        mut request: Request<Incoming>,
        label: &str,
        caller: Caller,
    ) -> Response<ServiceBody> {
        debug!(request = label, "received");
        let permit = match self.admission.admit(self.client(&request)) {
            Ok(permit) => permit,
            Err(error) => return reject(label, error),
        };
        let writer = request.extensions_mut().remove::<SharedWriter>();
        let version = request.version();
        match self.active_guest.handle(request, label).await {
            Ok(response) => {
                let permit = if response.body().is_stream() { self.admission.admit_stream(permit) } else { Ok(permit) };
                let permit = match permit {
                    Ok(permit) => permit,
                    Err(error) => return reject(label, error),
                };
                let writer = writer.filter(|_| is_chunked(version, response.headers()));
                let lease = response.body().is_stream().then(|| self.authenticator.lease(caller));
                response.map(|body| match body {
                    ServedBody::Guest(body) => ServiceBody::Guest { body, lease, _permit: permit },
                    ServedBody::Channel(subscription) => {
                        let body = ViewerBody::new(subscription, writer, &self.fan_outs);
                        ServiceBody::Viewer { body, lease, _permit: permit }
                    }
                })
            }
            Err(error) => {
                let (status, reason) = host_response::describe(&error);
                warn!(request = label, "{}, {error}", status.as_u16());
                host_response::text(status, reason).map(ServiceBody::Host)
            }
        }
    }
}

/// Returns the response to a request that exceeds a limit.
fn reject(label: &str, error: AdmissionError) -> Response<ServiceBody> {
    let status = error.status();
    warn!(request = label, "{}, {error}", status.as_u16());
    host_response::text(status, &error.to_string()).map(ServiceBody::Host)
}

/// Names a request in the log: `GET /video_feed`. Clients cannot forge log lines: other than printable ASCII characters
/// are replaced.
fn label(request: &Parts) -> String {
    let printable = |char: char| if char.is_ascii_graphic() { char } else { '?' };
    let path: String = request.uri.path().chars().take(LOGGED_PATH).map(printable).collect();
    format!("{} {path}", request.method)
}
