//! Why the status of a server cannot be shown.

use std::io;

use crate::http::listen::ListenAddress;
use crate::process::private_file::PrivateFileError;
use crate::tls_client::TlsError;

/// Why the status of a server cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The file with the token cannot be used.
    #[error(transparent)]
    Token(#[from] PrivateFileError),
    /// Only systemd knows where its sockets listen.
    #[error("cannot tell where {0} is; pass the address that `systemctl list-sockets` shows")]
    Address(ListenAddress),
    /// The text cannot be the name of a server.
    #[error("`{0}` is not the name of a server; use one that the certificate contains")]
    Name(String),
    /// TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server's certificate was not accepted, or it does not use TLS.
    #[error("no encrypted connection to {0}: {1}; see --tls-name")]
    Handshake(ListenAddress, io::Error),
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
    /// The server needs a token or a user, or another one.
    #[error("the server needs its admin token or a user with the role admin; pass --token-file FILE or --user NAME")]
    Unauthorized,
    /// The user may not see it.
    #[error("the user does not have the role admin; use another with --user")]
    Forbidden,
    /// Another server has answered, or one of another version.
    #[error("the server answered {0}; is it the admin listener of a server of this version?")]
    Status(http::StatusCode),
    /// The response is not a status of this version.
    #[error("the response is not the status of a server of this version: {0}")]
    Format(serde_json::Error),
}
