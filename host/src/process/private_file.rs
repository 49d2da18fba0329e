//! Files with secrets, which no other user may access, and files that no other user may change.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::regular_file::{open_regular_file, read_text};

/// The permission bits of everybody except the file's owner. None may be set.
const OTHERS: u32 = 0o077;

/// The permission bits that let the group and others write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The user who can access every file anyway.
const ROOT: u32 = 0;

/// Why a file with a secret cannot be used. Displays what the file is and its path, but nothing of the content.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// The file cannot be read, or it is not text.
    #[error("cannot read the {role} {}: {source}", path.display())]
    Read {
        /// What the file is, such as `admin token file`.
        role: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Other users can read the secret, or could have replaced it.
    #[error(
        "other users can access the {role} {path}; run `chmod 600 {path}`, and make a new secret if they may have read it",
        path = path.display()
    )]
    NotPrivate {
        /// What the file is.
        role: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The file belongs to another user, who can read and replace the secret.
    #[error("the {role} {path} belongs to another user; run `chown {user} {path}`", path = path.display())]
    WrongOwner {
        /// What the file is.
        role: &'static str,
        /// The file.
        path: PathBuf,
        /// The user that this program runs as.
        user: u32,
    },
    /// The file is too large for a secret.
    #[error("the {role} {} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// What the file is.
        role: &'static str,
        /// The file.
        path: PathBuf,
        /// The most that is read, in bytes.
        limit: u64,
    },
}

/// Whether no user but the owner, and root, may access a file with this metadata.
pub fn is_private(metadata: &Metadata) -> bool {
    metadata.mode() & OTHERS == 0
}

/// Whether a file or folder with this metadata belongs to this user, and only this user and root can write to it.
pub fn only_we_can_write(metadata: &Metadata) -> bool {
    metadata.uid() == geteuid().as_raw() && metadata.mode() & WRITABLE_BY_OTHERS == 0
}

/// Fails unless a file with this metadata belongs to this user or root, and no other user may access it. `role` says in
/// the error what the file is.
pub fn check_is_private(role: &'static str, path: &Path, metadata: &Metadata) -> Result<(), PrivateFileError> {
    let user = geteuid().as_raw();
    if metadata.uid() != user && metadata.uid() != ROOT {
        return Err(PrivateFileError::WrongOwner { role, path: path.to_owned(), user });
    }
    check_mode(role, path, metadata)
}

/// Fails if others than the owner of a file with this metadata, whoever that is, and root may access it. `role` says in
/// the error what the file is.
pub fn check_mode(role: &'static str, path: &Path, metadata: &Metadata) -> Result<(), PrivateFileError> {
    if is_private(metadata) { Ok(()) } else { Err(PrivateFileError::NotPrivate { role, path: path.to_owned() }) }
}

/// Reads a text file of at most `limit` bytes that belongs to this user or root, and that no other user may access.
/// `role` says in errors what the file is, such as `admin token file`. Blocks while it reads.
pub fn read_private_file(role: &'static str, path: &Path, limit: u64) -> Result<String, PrivateFileError> {
    let failed = |source| PrivateFileError::Read { role, path: path.to_owned(), source };
    let file = open_regular_file(path).map_err(failed)?;
    // Check the file that was opened; the path may lead to another one by now.
    let metadata = file.metadata().map_err(failed)?;
    check_is_private(role, path, &metadata)?;
    let text = read_text(&file, limit).map_err(failed)?;
    text.ok_or_else(|| PrivateFileError::TooLarge { role, path: path.to_owned(), limit })
}
