//! The errors of commands.

use std::io;
use std::path::PathBuf;

use super::status::StatusError;
use crate::config::contradictions::Contradiction;
use crate::config::grant_args::GrantsError;
use crate::config::{self, CamerasError};
use crate::http::auth::{HashingError, TokenKeyError, UserError};
use crate::sandbox::LoadError;

/// Why a command failed. Displays as one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The guest cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The configuration file cannot be used.
    #[error(transparent)]
    Config(#[from] config::LoadError),
    /// The options in the configuration file are not valid together.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// An option that grants something cannot be used.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// The path for a new guest exists and is not an empty folder.
    #[error("{} already exists; choose a new or empty folder", .0.display())]
    Occupied(PathBuf),
    /// The built-in guest was requested in a language other than Rust.
    #[error("--full copies the built-in guest, which is in Rust; omit --lang, or omit --full")]
    FullInRustOnly,
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file for the picture exists.
    #[error("{} already exists; choose another file with --output", .0.display())]
    PictureExists(PathBuf),
    /// The camera cannot be used.
    #[error(transparent)]
    Camera(#[from] CamerasError),
    /// The camera delivered no picture.
    #[error("no picture: {0}")]
    NoPicture(String),
    /// The name of a user is not valid.
    #[error(transparent)]
    User(#[from] UserError),
    /// The password cannot be read.
    #[error("cannot read the password: {0}")]
    Password(io::Error),
    /// The password was typed differently the second time.
    #[error("the passwords differ; run the command again")]
    PasswordsDiffer,
    /// The password is too short.
    #[error("use a password of at least {0} characters")]
    ShortPassword(usize),
    /// The password cannot be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// The token cannot be made.
    #[error(transparent)]
    Token(#[from] TokenKeyError),
    /// The status of a server cannot be shown.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// The system refuses what the program needs, such as a thread.
    #[error("cannot start: {0}")]
    System(io::Error),
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}
