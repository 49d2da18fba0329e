//! The admin listener: where it listens, who has access, and its tasks.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::runtime::Handle;
use tracing::warn;

use super::capacity::ADMIN_CONNECTIONS;
use super::error::AppError;
use super::reload::Reloader;
use super::side_listener;
use crate::admin::{Access, AdminApi, NotReloaded, ReloadConfiguration};
use crate::config::contradictions::check_admin_access;
use crate::config::serve_args::ServeArgs;
use crate::config::side_address::SideAddress;
use crate::http::auth::{Authenticator, Role};
use crate::http::connection_task::HalfClose;
use crate::http::health::Health;
use crate::http::listen::{Binder, ListenAddress, Listeners, SocketAccess};
use crate::http::policy::RequestGuard;
use crate::process::supervisor::BackgroundTasks;
use crate::status::Collector;

/// The address of the admin listener without `--admin`.
const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5001);

/// Reads the rules for access. Fails if they would let everyone in.
pub(super) fn access(
    args: &ServeArgs,
    guard: &RequestGuard,
    authenticator: &Arc<Authenticator>,
) -> Result<Access, AppError> {
    let rules = authenticator.rules();
    let has_administrator = rules.users.has_role(Role::Admin);
    let token_file = args.admin_token_file.as_deref();
    check_admin_access(args, has_administrator)?;
    match &args.admin {
        Some(SideAddress::Listen(ListenAddress::Unix(_))) => {
            Ok(Access::new(token_file, None, authenticator.clone(), false)?)
        }
        listener => {
            let is_off = matches!(listener, Some(SideAddress::Off));
            if !is_off && token_file.is_none() && !has_administrator && !rules.admit_anyone() {
                warn!(
                    "the admin listener refuses all requests: no user has the role admin, and there is no --admin-token-file"
                );
            }
            let is_remote = matches!(listener, Some(SideAddress::Listen(address)) if !address.is_local());
            Ok(Access::new(token_file, Some(guard.clone()), authenticator.clone(), is_remote)?)
        }
    }
}

/// Binds the admin listener, unless it is off. Must be called inside the Tokio runtime that serves it.
pub(super) fn bind(args: &ServeArgs, binder: &Binder) -> Result<Option<Listeners>, AppError> {
    let (address, is_default) = match &args.admin {
        Some(SideAddress::Off) => return Ok(None),
        Some(SideAddress::Listen(address)) => (address.clone(), false),
        None => (ListenAddress::Tcp(DEFAULT_ADDRESS), true),
    };
    match binder.bind(&[address], "--admin", SocketAccess::Owner) {
        Ok(listeners) => {
            side_listener::log_addresses(&listeners, "admin", "/guest");
            Ok(Some(listeners))
        }
        // The user did not ask for it, and another server on this machine may use the address.
        Err(error) if is_default => {
            warn!("no admin listener: {error}");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Spawns the tasks that serve the admin listener.
pub(super) fn spawn(
    tasks: &mut BackgroundTasks,
    runtime: &Handle,
    listeners: Listeners,
    collector: Collector,
    health: Health,
    access: Access,
    reloader: Arc<Reloader>,
) {
    let api = Arc::new(AdminApi::new(collector, health, access, reload_configuration(reloader)));
    let handle = move |request| api.clone().handle(request);
    // Abandon: an upload whose client has left changes nothing.
    let half_close = HalfClose::Abandon;
    side_listener::spawn(tasks, runtime, "the admin listener", listeners, ADMIN_CONNECTIONS, half_close, handle);
}

/// What `POST /config/reload` does.
fn reload_configuration(reloader: Arc<Reloader>) -> ReloadConfiguration {
    Box::new(move || {
        let reloader = reloader.clone();
        Box::pin(async move {
            let report = reloader.reload().await.map_err(|error| {
                let (is_temporary, reason) = (error.is_temporary(), error.to_string());
                NotReloaded { is_temporary, reason }
            })?;
            // The report has only fields that JSON can represent, so this does not fail.
            Ok(serde_json::to_value(report).unwrap_or_default())
        })
    })
}
