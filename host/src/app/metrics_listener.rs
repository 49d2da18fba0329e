//! The listener for Prometheus: where it listens, and its tasks.

use std::future::pending;
use std::sync::Arc;

use hyper::service::service_fn;
use tokio::runtime::Handle;
use tracing::info;

use super::capacity::METRICS_CONNECTIONS;
use crate::config::admin_address::AdminAddress;
use crate::config::cli::ServeArgs;
use crate::http::health::Health;
use crate::http::limits::{Connections, Limits};
use crate::http::listen::{Binder, ListenError, Listeners, SocketAccess};
use crate::http::policy::RequestGuard;
use crate::http::proxies::TrustedProxies;
use crate::http::server::{self, HalfClose};
use crate::process::supervisor::BackgroundTasks;
use crate::status::{Collector, MetricsApi};

/// Binds the listener, if there is to be one. Must be called inside the Tokio runtime that serves it.
pub(super) fn bind(args: &ServeArgs, binder: &Binder) -> Result<Option<Listeners>, ListenError> {
    let Some(AdminAddress::Listen(address)) = &args.metrics else { return Ok(None) };
    // Prometheus runs as another user.
    let listeners = binder.bind(std::slice::from_ref(address), "--metrics", SocketAccess::Group)?;
    for url in listeners.urls() {
        match url.strip_suffix('/') {
            Some(url) => info!("metrics at {url}/metrics"),
            None => info!("metrics at {url}"),
        }
    }
    Ok(Some(listeners))
}

/// Spawns the tasks that serve the listener.
pub(super) fn spawn(
    tasks: &mut BackgroundTasks,
    runtime: &Handle,
    listeners: Listeners,
    collector: Collector,
    health: Health,
    guard: RequestGuard,
) {
    let limits = Limits { total: METRICS_CONNECTIONS, per_address: METRICS_CONNECTIONS };
    let connections = Connections::new(limits, TrustedProxies::default());
    let stalled = connections.clone();
    tasks.spawn_restarting("the timeouts of the metrics", move || stalled.clone().close_stalled(), runtime);
    let api = Arc::new(MetricsApi::new(collector, health, guard));
    let handler = service_fn(move |request| api.clone().handle(request));
    let serving = server::serve(listeners, handler, connections, HalfClose::Answer, pending());
    tasks.spawn("the listener for metrics", serving, runtime);
}
