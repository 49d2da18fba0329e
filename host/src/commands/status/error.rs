//! Why the status of a server cannot be shown.

use std::io;

use crate::http::listen::ListenAddress;
use crate::process::private_file::PrivateFileError;

/// Why the status of a server cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The file with the token cannot be used.
    #[error(transparent)]
    Token(#[from] PrivateFileError),
    /// The command cannot connect to such an address.
    #[error("cannot read the status from {0}: use an address with a port, or unix:PATH; for TLS, use `curl`")]
    Address(ListenAddress),
    /// Nothing listens at the address.
    #[error("cannot connect to {address}: {source}; is a server running, and is this its admin listener (--admin)?")]
    Connect {
        /// The address.
        address: ListenAddress,
        /// The system's reason.
        source: io::Error,
    },
    /// The request failed.
    #[error("no response from {0}: {1}")]
    Request(ListenAddress, hyper::Error),
    /// The response took too long.
    #[error("{0} does not respond")]
    TimedOut(ListenAddress),
    /// The response is too long for a status.
    #[error("the response from {0} is too long; is it the admin listener of a server?")]
    TooLong(ListenAddress),
    /// The server needs a token, or another one.
    #[error("the server needs its admin token; pass --token-file FILE")]
    Unauthorized,
    /// Another server has answered, or one of another version.
    #[error("the server answered {0}; is it the admin listener of a server of this version?")]
    Status(http::StatusCode),
    /// The response is not a status of this version.
    #[error("the response is not the status of a server of this version: {0}")]
    Format(serde_json::Error),
}
