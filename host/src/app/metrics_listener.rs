//! The listener for Prometheus: where it listens, and its tasks.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::capacity::METRICS_CONNECTIONS;
use super::side_listener;
use crate::config::serve_args::ServeArgs;
use crate::config::side_address::SideAddress;
use crate::http::connection_task::HalfClose;
use crate::http::health::Health;
use crate::http::listen::{Binder, ListenError, Listeners, SocketAccess};
use crate::http::policy::RequestGuard;
use crate::process::supervisor::BackgroundTasks;
use crate::status::{Collector, MetricsApi};

/// Binds the listener, if there is to be one. Must be called inside the Tokio runtime that serves it.
pub(super) fn bind(args: &ServeArgs, binder: &Binder) -> Result<Option<Listeners>, ListenError> {
    let Some(SideAddress::Listen(address)) = &args.metrics else { return Ok(None) };
    // Prometheus runs as another user.
    let listeners = binder.bind(std::slice::from_ref(address), "--metrics", SocketAccess::Group)?;
    side_listener::log_addresses(&listeners, "metrics", "/metrics");
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
    let api = Arc::new(MetricsApi::new(collector, health, guard));
    let handle = move |request| api.clone().handle(request);
    let half_close = HalfClose::Answer;
    side_listener::spawn(tasks, runtime, "the metrics listener", listeners, METRICS_CONNECTIONS, half_close, handle);
}
