//! The errors that end the server.

use std::io;

use crate::admin::TokenError;
use crate::config::CamerasError;
use crate::config::contradictions::Contradiction;
use crate::config::grant_args::GrantsError;
use crate::config::users::UsersError;
use crate::http::auth::NoRandomNumbers;
use crate::http::listen::ListenError;
use crate::http::tls::TlsError;
use crate::process::supervisor::TaskEnded;
use crate::sandbox::{LoadError, SandboxError, StoreError};
use crate::swap::SwapError;

/// Why the server did not start, or stopped. Displays as one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The options are not valid together.
    #[error(transparent)]
    Contradiction(Box<Contradiction>),
    /// A camera cannot be used.
    #[error(transparent)]
    Cameras(#[from] CamerasError),
    /// The guest cannot be read.
    #[error(transparent)]
    Guest(#[from] LoadError),
    /// The guest failed its check.
    #[error(transparent)]
    Swap(#[from] SwapError),
    /// The token of the admin listener cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// What systemd has passed is not a listening socket.
    #[error("cannot use a socket that systemd has opened: {0}")]
    Inherited(#[source] io::Error),
    /// TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An option that grants something to guests cannot be used.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// The store of guests cannot be opened.
    #[error("--guest-store: {0}")]
    Store(#[from] StoreError),
    /// The sandbox cannot be created.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// An address cannot be bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A background task has ended that the server needs and cannot restart.
    #[error("the server cannot continue: {0}")]
    TaskEnded(#[from] TaskEnded),
    /// The users cannot be used.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// Passwords cannot be checked.
    #[error(transparent)]
    Random(#[from] NoRandomNumbers),
    /// The system refuses what the program needs, such as a thread.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl From<Contradiction> for AppError {
    fn from(contradiction: Contradiction) -> Self {
        // It is larger than all other errors.
        Self::Contradiction(Box::new(contradiction))
    }
}

impl AppError {
    /// Whether the command line or the configuration is invalid, on every machine.
    pub fn is_usage_error(&self) -> bool {
        matches!(self, Self::Contradiction(_))
    }
}
