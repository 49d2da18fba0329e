//! Which rights the server keeps after it has started.

use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use tracing::{info, warn};

use crate::camera::v4l2::start_user_lookup;
use crate::config::camera_spec::CameraSpec;
use crate::config::serve_args::ServeArgs;
use crate::http::listen::ListenAddress;
use crate::process::confinement::{Allowed, Confinement, confine};

/// Takes all rights from the server that it does not need, and logs what is in force. Must be called before the runtimes
/// start. `cache` is the folder of compiled guests, and `program` the files of this program. Returns whether cameras may
/// start programs.
pub(super) fn apply(args: &ServeArgs, cache: Option<PathBuf>, program: Vec<PathBuf>) -> bool {
    if args.cameras.iter().any(CameraSpec::runs_program) {
        info!("confinement: off, because the program of a camera would inherit it");
        return true;
    }
    let allowed = Allowed {
        writable: cache.into_iter().chain(args.guest_store.clone()).collect(),
        sockets: args.addresses().filter_map(|(_, address)| socket_folder(address)).collect(),
        program,
    };
    if let Err(error) = start_user_lookup() {
        warn!("the programs that use a busy camera will not be named: {error}");
    }
    match confine(&allowed) {
        Ok(Confinement::Full) => {
            info!("confinement: no file but the server's own can be written, no program started");
            false
        }
        Ok(Confinement::Partial) => {
            info!("confinement: as far as this kernel supports Landlock; all of it needs Linux 6.10");
            false
        }
        Ok(Confinement::NoNewPrivileges) => {
            info!("confinement: no new privileges; this kernel has no Landlock to protect files");
            true
        }
        Err(error) => {
            warn!("confinement: off: {error}");
            true
        }
    }
}

/// Warns if the server has all rights anyway.
pub(super) fn warn_if_root() {
    if geteuid().is_root() {
        warn!("running as root: a user of its own in the group `video` would be safer, see SECURITY.md");
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
