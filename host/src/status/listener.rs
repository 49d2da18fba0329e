//! The listener for Prometheus: metrics and health checks, and nothing else.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tracing::warn;

use super::collector::Collector;
use super::responses::{METRICS_PATH, metrics};
use crate::http::health::Health;
use crate::http::host_response;
use crate::http::policy::{RequestGuard, SecurityHeaders};

/// The service of the listener. Everyone who can connect may read the metrics, but not the pages of other sites that a
/// browser shows.
pub struct MetricsApi {
    collector: Collector,
    health: Health,
    guard: RequestGuard,
}

impl MetricsApi {
    /// Serves the metrics to requests that pass `guard`.
    pub fn new(collector: Collector, health: Health, guard: RequestGuard) -> Self {
        Self { collector, health, guard }
    }

    /// Handles a request. Errors are part of the response.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, _) = request.into_parts();
        let mut response = if let Err(error) = self.guard.check(&head) {
            warn!("metrics: {}, {error}", error.status().as_u16());
            host_response::text(error.status(), &error.to_string())
        } else if let Some(response) = self.health.answer(&head) {
            response
        } else if head.uri.path() == METRICS_PATH {
            metrics(&self.collector, &head.method)
        } else {
            host_response::text(StatusCode::NOT_FOUND, "not found; this listener has /metrics, /healthz and /readyz")
        };
        SecurityHeaders::new().insert(response.headers_mut());
        Ok(response)
    }
}
