//! Listeners beside that for viewers: a few connections, and an API of the host itself.

use std::convert::Infallible;
use std::future::pending;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::runtime::Handle;
use tracing::info;

use crate::http::connection_task::HalfClose;
use crate::http::limits::{Connections, Limits};
use crate::http::listen::Listeners;
use crate::http::proxies::TrustedProxies;
use crate::http::server;
use crate::process::supervisor::BackgroundTasks;

/// Logs where a listener has this path. `name` is what clients find there.
pub(super) fn log_addresses(listeners: &Listeners, name: &str, path: &str) {
    for url in listeners.urls() {
        match url.strip_suffix('/') {
            Some(url) => info!("{name} at {url}{path}"),
            None => info!("{name} at {url}"),
        }
    }
}

/// Spawns the tasks that serve a listener with at most this many connections. `name` is for errors.
pub(super) fn spawn<F>(
    tasks: &mut BackgroundTasks,
    runtime: &Handle,
    name: &str,
    listeners: Listeners,
    connections: usize,
    half_close: HalfClose,
    handle: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
) where
    F: Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send + 'static,
{
    let limits = Limits { total: connections, per_address: connections };
    let connections = Connections::new(limits, TrustedProxies::default());
    let stalled = connections.clone();
    tasks.spawn_restarting(&format!("{name}'s timeouts"), move || stalled.clone().close_stalled(), runtime);
    let serving = server::serve(listeners, service_fn(handle), connections, half_close, pending());
    tasks.spawn(name, serving, runtime);
}
