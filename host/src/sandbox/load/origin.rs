//! Where a component comes from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a component comes from. Its text names the component in logs and errors.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// It is compiled into this program.
    Embedded,
    /// It was read from a file.
    File(PathBuf),
    /// It was sent to the admin listener.
    Upload,
    /// It is middleware, read from a file.
    Middleware(PathBuf),
    /// It belongs to a camera, and was read from a file.
    CameraFile {
        /// What it is for the camera, such as `driver`.
        role: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// It belongs to a camera, and was sent to the admin listener.
    CameraUpload {
        /// What it is for the camera, such as `driver`.
        role: &'static str,
    },
    /// It was composed from a guest and middleware.
    Wrapped {
        /// Where the guest comes from.
        guest: Arc<Origin>,
        /// The files of the middleware, outermost first.
        middleware: Arc<[PathBuf]>,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => write!(f, "the built-in guest"),
            Self::File(path) | Self::Middleware(path) | Self::CameraFile { path, .. } => {
                write!(f, "{}", path.display())
            }
            Self::Upload => write!(f, "the uploaded guest"),
            Self::CameraUpload { role } => write!(f, "the uploaded {role}"),
            Self::Wrapped { guest, middleware } => {
                write!(f, "{guest}")?;
                middleware.iter().rev().try_for_each(|file| write!(f, " behind {}", file.display()))
            }
        }
    }
}
