//! Translates errors of the kernel for people with a camera.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::device::System;
use crate::error::SourceError;

/// Translates an error that `step` caused at the device at `path`.
pub(super) fn device_error(system: &dyn System, path: &Path, step: &'static str, source: io::Error) -> SourceError {
    let path = path.to_owned();
    match Errno::from_io_error(&source) {
        Some(Errno::NOENT) => SourceError::NotFound { path },
        // The device disappeared while it was open, or the node is stale.
        Some(Errno::NODEV | Errno::NXIO) => SourceError::Gone { path },
        Some(Errno::ACCESS | Errno::PERM) => SourceError::AccessDenied { path },
        // Of all operations, only starting a stream reserves bandwidth of a bus.
        Some(Errno::NOSPC) => SourceError::NoBandwidth { path },
        Some(Errno::BUSY) => SourceError::Busy { users: system.users(&path), path },
        _ => SourceError::Device { path, step, source },
    }
}
