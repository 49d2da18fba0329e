//! Where a guest comes from.

use std::fmt;
use std::path::PathBuf;

/// Where a guest comes from. Its text names the guest in logs and errors.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// It is compiled into this program.
    Embedded,
    /// It was read from a file.
    File(PathBuf),
    /// It was sent to the admin listener.
    Upload,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => write!(f, "the built-in guest"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Upload => write!(f, "the uploaded guest"),
        }
    }
}
