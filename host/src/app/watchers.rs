//! The tasks that load again what has changed: at SIGHUP and, with `--watch`, when a file changes.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::signal::unix::Signal as SignalStream;

use super::reload::Reloader;
use super::signals::reload_on_sighup;
use crate::config::serve_args::ServeArgs;
use crate::process::supervisor::BackgroundTasks;
use crate::swap::ActiveGuest;
use crate::swap::active_guest::{GuestFile, MiddlewareFile};
use crate::swap::watch::{Watched, watch};

/// Spawns the tasks that reload the configuration, the guest, the drivers and the filters at SIGHUP and, with
/// `--watch`, the guest and the middleware when their files change. `digest` is that of the guest that was read from
/// the file at the start.
pub(super) fn spawn_reloading(
    tasks: &mut BackgroundTasks,
    runtime: &Handle,
    args: &ServeArgs,
    hangups: SignalStream,
    digest: Arc<str>,
    active_guest: &ActiveGuest,
    reloader: &Arc<Reloader>,
) {
    let (mut hangups, file, guest) = (Some(hangups), args.guest.clone(), active_guest.clone());
    let reloader = reloader.clone();
    let reload = move || reload_on_sighup(hangups.take(), file.clone(), guest.clone(), reloader.clone());
    tasks.spawn_restarting("the SIGHUP handler", reload, runtime);
    if !args.watch {
        return;
    }
    if let Some(file) = args.guest.clone() {
        spawn_watcher(tasks, runtime, file, digest, GuestFile(active_guest.clone()));
    }
    let composition = active_guest.composition();
    for part in composition.iter().flat_map(|composition| composition.middleware.iter()) {
        let digest = part.component.digest.clone();
        spawn_watcher(tasks, runtime, part.path.clone(), digest, MiddlewareFile(active_guest.clone()));
    }
}

fn spawn_watcher(
    tasks: &mut BackgroundTasks,
    runtime: &Handle,
    file: PathBuf,
    digest: Arc<str>,
    component: impl Watched,
) {
    let component = Arc::new(component);
    let name = format!("the watcher of {}", file.display());
    tasks.spawn_restarting(&name, move || watch(file.clone(), Some(digest.clone()), component.clone()), runtime);
}
