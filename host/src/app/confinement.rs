//! Which rights the server keeps after it has started.

use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use tracing::{info, warn};

use crate::camera::v4l2::start_user_lookup;
use crate::config::admin_address::AdminAddress;
use crate::config::camera_spec::{CameraSpec, SourceSpec};
use crate::config::serve_args::ServeArgs;
use crate::http::listen::ListenAddress;
use crate::process::confinement::{Allowed, Confinement, confine};

/// Takes all rights from the server that it does not need, and logs what is in force. Must be called before the runtimes
/// start. `cache` is the folder of compiled guests.
pub(super) fn apply(args: &ServeArgs, cache: Option<PathBuf>) {
    if args.cameras.iter().any(runs_program) {
        info!("confinement: off, because the program of a camera would inherit it");
        return;
    }
    let (admin, metrics) = (listen_address(args.admin.as_ref()), listen_address(args.metrics.as_ref()));
    let allowed = Allowed {
        writable: cache.into_iter().chain(args.guest_store.clone()).collect(),
        sockets: args.listen.iter().chain(admin).chain(metrics).filter_map(socket_folder).collect(),
    };
    if let Err(error) = start_user_lookup() {
        warn!("the programs that use a busy camera will not be named: {error}");
    }
    match confine(&allowed) {
        Ok(Confinement::Full) => info!("confinement: no file but the server's own can be written, no program started"),
        Ok(Confinement::Partial) => {
            info!("confinement: as far as this kernel supports Landlock; all of it needs Linux 6.10");
        }
        Ok(Confinement::NoNewPrivileges) => {
            info!("confinement: no new privileges; this kernel has no Landlock to protect files");
        }
        Err(error) => warn!("confinement: off: {error}"),
    }
}

/// Warns if the server has all rights anyway.
pub(super) fn warn_if_root() {
    if geteuid().is_root() {
        warn!("running as root: a user of its own in the group `video` would be safer, see SECURITY.md");
    }
}

/// Whether a camera needs a program, whose needs are unknown.
fn runs_program(camera: &CameraSpec) -> bool {
    matches!(camera.source, SourceSpec::Exec(_) | SourceSpec::Rpicam(_))
}

/// The address of a listener that may be off.
fn listen_address(option: Option<&AdminAddress>) -> Option<&ListenAddress> {
    match option? {
        AdminAddress::Listen(address) => Some(address),
        AdminAddress::Off => None,
    }
}

/// The folder in which the server creates a socket at this address.
fn socket_folder(address: &ListenAddress) -> Option<PathBuf> {
    match address {
        ListenAddress::Unix(path) => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            Some(parent.unwrap_or(Path::new(".")).to_owned())
        }
        ListenAddress::Tls(address) => socket_folder(address),
        _ => None,
    }
}
