//! Files with secrets, which no other user may access.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// The permission bits of everybody except the file's owner. None may be set.
const OTHERS: u32 = 0o077;

/// The user who can access every file anyway.
const ROOT: u32 = 0;

/// Why a file with a secret cannot be used. Displays the path, but nothing of the content.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// The file cannot be read, or it is not text.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Other users can read the secret, or could have replaced it.
    #[error(
        "other users can access {path}; run `chmod 600 {path}`, and make a new secret if they may have read it",
        path = .0.display()
    )]
    NotPrivate(PathBuf),
    /// The file belongs to another user, who can read and replace the secret.
    #[error("{path} belongs to another user; run `chown {user} {path}`", path = path.display())]
    WrongOwner {
        /// The file.
        path: PathBuf,
        /// The user that this program runs as.
        user: u32,
    },
    /// The file is too large for a secret.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read, in bytes.
        limit: u64,
    },
}

/// Reads a text file of at most `limit` bytes that belongs to this user or root, and that no other user may access.
/// Blocks while it reads.
pub fn read_private_file(path: &Path, limit: u64) -> Result<String, PrivateFileError> {
    let failed = |source| PrivateFileError::Read { path: path.to_owned(), source };
    // Opening a named pipe without a writer would block.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    let mut file = File::open(path).map_err(failed)?;
    // Check the file that was opened; the path may lead to another one by now.
    let metadata = file.metadata().map_err(failed)?;
    let user = geteuid().as_raw();
    if metadata.uid() != user && metadata.uid() != ROOT {
        return Err(PrivateFileError::WrongOwner { path: path.to_owned(), user });
    }
    if metadata.mode() & OTHERS != 0 {
        return Err(PrivateFileError::NotPrivate(path.to_owned()));
    }
    let mut text = String::new();
    // One byte beyond the limit shows that the file is too large.
    let length = file.by_ref().take(limit + 1).read_to_string(&mut text).map_err(failed)?;
    if length as u64 > limit {
        return Err(PrivateFileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(text)
}
