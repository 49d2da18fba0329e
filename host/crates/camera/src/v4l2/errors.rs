//! What the kernel's errors mean for somebody with a camera.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::device::System;
use crate::error::SourceError;

/// What an error means that came of trying `step` with the device at `path`.
pub(super) fn device_error(system: &dyn System, path: &Path, step: &'static str, source: io::Error) -> SourceError {
    let path = path.to_owned();
    match Errno::from_io_error(&source) {
        Some(Errno::NOENT) => SourceError::NotFound { path },
        // A node whose device went away while it was open, or a stale node.
        Some(Errno::NODEV | Errno::NXIO) => SourceError::Gone { path },
        Some(Errno::ACCESS | Errno::PERM) => SourceError::AccessDenied { path },
        // Only starting a stream takes bandwidth of a bus.
        Some(Errno::NOSPC) => SourceError::NoBandwidth { path },
        Some(Errno::BUSY) => SourceError::Busy { by: system.holders(&path), path },
        _ => SourceError::Device { path, step, source },
    }
}
