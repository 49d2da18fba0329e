//! Signals: SIGINT and SIGTERM shut the server down, SIGHUP reloads the configuration, the guest and the drivers of
//! cameras.

use std::future::pending;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use super::reload::Reloader;
use crate::drivers::Drivers;
use crate::filters::FilterSlots;
use crate::process::service_manager;
use crate::sandbox::Candidate;
use crate::swap::ActiveGuest;

/// Returns a future that resolves on SIGINT (Ctrl-C) or SIGTERM. Must be called inside a Tokio runtime.
pub(super) fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        info!("received {name}, shutting down");
    })
}

/// Stops SIGHUP from ending the program. The stream receives each one from now on. Must be called inside a Tokio
/// runtime.
pub(super) fn catch_sighup() -> io::Result<SignalStream> {
    signal(SignalKind::hangup())
}

/// What SIGHUP reloads besides the guest.
#[derive(Clone)]
pub(super) struct Reloaded {
    pub(super) reloader: Arc<Reloader>,
    pub(super) drivers: Drivers,
    pub(super) filters: FilterSlots,
}

/// Reloads the configuration, the guest from `file`, or the built-in one, its middleware, the drivers and the filters at
/// each SIGHUP, until the future is dropped. The kernel also sends SIGHUP when the terminal closes in which the program
/// was started. Then the program shuts down. `hangups` is `None` when the task is restarted.
pub(super) async fn reload_on_sighup(
    hangups: Option<SignalStream>,
    file: Option<PathBuf>,
    active_guest: ActiveGuest,
    Reloaded { reloader, drivers, filters }: Reloaded,
) {
    let mut hangups = match hangups.map_or_else(catch_sighup, Ok) {
        Ok(hangups) => hangups,
        Err(error) => {
            warn!("SIGHUP will not reload the guest: {error}");
            return pending().await;
        }
    };
    let has_terminal = || io::stdin().is_terminal();
    let had_terminal = has_terminal();
    while hangups.recv().await.is_some() {
        if had_terminal && !has_terminal() {
            info!("the terminal was closed");
            // Cannot fail: a process may always signal itself.
            let _ = kill_process(getpid(), Signal::TERM);
            return pending().await;
        }
        match drivers.iter().count() {
            0 => info!("received SIGHUP, reloading the guest"),
            _ => info!("received SIGHUP, reloading the guest and the drivers"),
        }
        service_manager::reloading();
        let file = file.clone();
        // The outcomes are logged.
        let _ = reloader.clone().reload().await;
        for driver in drivers.iter() {
            let _ = driver.reload().await;
        }
        for filter in filters.iter() {
            let _ = filter.reload().await;
        }
        // Reading fails only if it panics.
        if let Ok(candidate) = spawn_blocking(move || Candidate::read(file.as_deref())).await {
            let _ = active_guest.reload(candidate).await;
        }
        service_manager::reloaded();
    }
}
