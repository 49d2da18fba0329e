//! Signals: SIGINT and SIGTERM shut the server down, SIGHUP reloads the configuration and all components.

use std::future::pending;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::task::{JoinSet, spawn_blocking};
use tracing::{info, warn};

use super::reload::Reloader;
use crate::process::service_manager;
use crate::process::turn::Turn;
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

/// At each SIGHUP, until the future is dropped, reloads the configuration, the guest (from `file`, or the built-in one)
/// with its middleware, the drivers and the filters. None waits for another, because a file system may hang and
/// compiling takes minutes at worst. systemd learns that the reload is over when all have ended or take too long; these
/// continue. `hangups` is `None` when the task is restarted.
///
/// The kernel also sends SIGHUP when the terminal closes in which the program was started. Then the program shuts down.
pub(super) async fn reload_on_sighup(
    hangups: Option<SignalStream>,
    file: Option<PathBuf>,
    active_guest: ActiveGuest,
    reloader: Arc<Reloader>,
) {
    let mut hangups = match hangups.map_or_else(catch_sighup, Ok) {
        Ok(hangups) => hangups,
        Err(error) => {
            warn!("SIGHUP will reload nothing: {error}");
            return pending().await;
        }
    };
    let has_terminal = || io::stdin().is_terminal();
    let had_terminal = has_terminal();
    let guest_turn = Turn::default();
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            hangup = hangups.recv() => if hangup.is_none() { return },
            Some(_) = under_way.join_next() => {
                if under_way.is_empty() {
                    service_manager::reloaded();
                }
                continue;
            }
        }
        if had_terminal && !has_terminal() {
            info!("the terminal was closed");
            // Cannot fail: a process may always signal itself.
            let _ = kill_process(getpid(), Signal::TERM);
            return pending().await;
        }
        info!("received SIGHUP, reloading configuration, guest, middleware, drivers and filters");
        service_manager::reloading();
        // The outcomes are logged.
        let reloading = reloader.clone().reload();
        under_way.spawn(async move { drop(reloading.await) });
        for driver in &*reloader.components().drivers().list() {
            let driver = driver.clone();
            under_way.spawn(async move { driver.reload().await });
        }
        for filter in &*reloader.components().filters().list() {
            let filter = filter.clone();
            under_way.spawn(async move { filter.reload().await });
        }
        under_way.spawn(reload_guest(active_guest.clone(), file.clone(), guest_turn.clone()));
    }
}

/// Reloads the guest from `file`, or the built-in one, and its middleware.
async fn reload_guest(guest: ActiveGuest, file: Option<PathBuf>, turn: Turn) {
    let reload = async move {
        // Reading fails only if it panics.
        if let Ok(candidate) = spawn_blocking(move || Candidate::read(file.as_deref())).await {
            // The outcome is logged.
            let _ = guest.reload(candidate).await;
        }
    };
    if let Err(error) = turn.run(reload).await {
        warn!("guest not reloaded: {error}");
    }
}
