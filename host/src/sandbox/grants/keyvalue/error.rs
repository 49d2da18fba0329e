//! How the state can fail.

use std::path::PathBuf;

use super::limits::{MAX_BATCH_BYTES, MAX_BATCH_KEYS, MAX_BYTES, MAX_KEY_BYTES, MAX_KEYS, MAX_VALUE_BYTES};

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refuses access, or the disk is full.
    #[error("cannot open the store {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: std::io::Error,
    },
    /// Another process has opened it.
    #[error("the store {} is in use by another server; each server needs its own", .0.display())]
    InUse(PathBuf),
    /// It is a directory, a device, or a file of another program.
    #[error("{} is not a store of Hotshoe; name a new file", .0.display())]
    NotAStore(PathBuf),
    /// Its contents are not what was written.
    #[error(
        "the store {} is damaged: {reason}; restore it from a backup, or move it away to start with an empty one",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the database found.
        reason: String,
    },
}

/// Why an operation failed. The texts are for the authors of guests, and do not name files of the host.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(in crate::sandbox) enum StateError {
    /// There are too many keys.
    #[error("the store is full: it has {MAX_KEYS} keys")]
    TooManyKeys,
    /// The entries are too large together.
    #[error("the store is full: its keys and values take up {} MiB", MAX_BYTES >> 20)]
    TooManyBytes,
    /// A key is too long.
    #[error("the key is longer than {MAX_KEY_BYTES} bytes")]
    KeyTooLong,
    /// A value is too large.
    #[error("the value is larger than {} MiB", MAX_VALUE_BYTES >> 20)]
    ValueTooLarge,
    /// A batch is too large.
    #[error("the batch has more than {MAX_BATCH_KEYS} keys or {} MiB", MAX_BATCH_BYTES >> 20)]
    BatchTooLarge,
    /// `increment` needs a number.
    #[error("the value is not a whole number in decimal digits")]
    NotANumber,
    /// The sum is out of range.
    #[error("the number is out of range")]
    OutOfRange,
    /// The database failed.
    #[error("the store does not work; the log of the server has the reason")]
    Unavailable,
}

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The guest asked for something that is refused. The database works.
    Refused(StateError),
    /// The database failed.
    Broken(redb::Error),
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::Refused(error)
    }
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}
