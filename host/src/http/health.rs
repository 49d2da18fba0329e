//! Health checks, which the host answers itself: `/healthz` and `/readyz`, as orchestrators and balancers request them.
//!
//! They need no capacity, no credentials and no guest, and open no camera.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::Full;

use super::host_response;
use crate::camera::{Cameras, State};
use crate::swap::ActiveGuest;

/// The path of the check that the server runs.
pub const LIVENESS_PATH: &str = "/healthz";

/// The path of the check that the server can serve.
pub const READINESS_PATH: &str = "/readyz";

/// The parameter of [`READINESS_PATH`] that includes the cameras.
const CAMERAS_PARAMETER: &str = "cameras";

/// Answers health checks. Clones share the state.
#[derive(Clone)]
pub struct Health {
    active_guest: ActiveGuest,
    cameras: Cameras,
    is_shutting_down: Arc<AtomicBool>,
}

impl Health {
    /// Checks this guest and, if asked to, these cameras.
    pub fn new(active_guest: ActiveGuest, cameras: Cameras) -> Self {
        Self { active_guest, cameras, is_shutting_down: Arc::default() }
    }

    /// Makes the server unready from now on.
    pub fn shut_down(&self) {
        self.is_shutting_down.store(true, Ordering::Relaxed);
    }

    /// Answers a request for [`LIVENESS_PATH`] or [`READINESS_PATH`]. Returns `None` for others.
    pub fn answer(&self, head: &Parts) -> Option<Response<Full<Bytes>>> {
        let readiness = match head.uri.path() {
            LIVENESS_PATH => Ok("serving"),
            READINESS_PATH => self.check(head.uri.query()).map(|()| "ready"),
            _ => return None,
        };
        let respond = || match &readiness {
            Ok(text) => host_response::text(StatusCode::OK, text),
            Err(reason) => host_response::text(StatusCode::SERVICE_UNAVAILABLE, reason),
        };
        Some(host_response::only_read(&head.method).unwrap_or_else(respond))
    }

    /// Whether the server can serve. The reason contains nothing that strangers should not know.
    fn check(&self, query: Option<&str>) -> Result<(), String> {
        if self.is_shutting_down.load(Ordering::Relaxed) {
            return Err("shutting down".to_owned());
        }
        if !self.active_guest.is_healthy() {
            return Err("the guest fails, see the server's log".to_owned());
        }
        let mut parameters = query.unwrap_or_default().split('&');
        if parameters.any(|parameter| parameter.split('=').next() == Some(CAMERAS_PARAMETER)) {
            // A camera without viewers is closed, and ready to be opened.
            let is_without_picture = |state: &State| matches!(state, State::Starting | State::Lost(_));
            let states: Vec<_> = self.cameras.list().iter().map(|camera| camera.status().state).collect();
            let count = states.iter().filter(|state| is_without_picture(state)).count();
            if count > 0 {
                return Err(format!("{count} of {} cameras without a picture", states.len()));
            }
        }
        Ok(())
    }
}
