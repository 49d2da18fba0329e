//! Where a guest comes from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a guest comes from. Its text names the guest in logs and errors.
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
            Self::File(path) | Self::Middleware(path) => write!(f, "{}", path.display()),
            Self::Upload => write!(f, "the uploaded guest"),
            Self::Wrapped { guest, middleware } => {
                write!(f, "{guest}")?;
                middleware.iter().rev().try_for_each(|file| write!(f, " behind {}", file.display()))
            }
        }
    }
}
