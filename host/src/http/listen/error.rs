//! Why the server cannot listen at an address.

use std::fmt;
use std::io;

use super::address::ListenAddress;

/// The server cannot listen at an address.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The system refuses.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// There is no certificate for TLS.
    #[error("{option} {address} needs a certificate; add --tls-certificate FILE and --tls-key FILE")]
    NoCertificate {
        /// The address.
        address: ListenAddress,
        /// The option that it came from.
        option: &'static str,
    },
    /// systemd has opened no such socket.
    #[error(
        "{option} {address}: systemd has passed no such socket ({found}); start the server by a socket unit with \
         FileDescriptorName=NAME (systemd.socket(5))"
    )]
    NotInherited {
        /// The address.
        address: ListenAddress,
        /// The option that it came from.
        option: &'static str,
        /// What there is.
        found: String,
    },
}

/// The system refuses to let the server listen at an address. The message names the address and the option that chooses
/// another.
#[derive(Debug)]
pub struct BindError {
    address: String,
    option: &'static str,
    source: io::Error,
}

impl BindError {
    /// Wraps the error from binding `address`, which the user gave with the command line option `option`.
    pub(super) fn new(source: io::Error, address: String, option: &'static str) -> Self {
        Self { address, option, source }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, option, source } = self;
        match source.kind() {
            io::ErrorKind::AddrInUse => write!(
                formatter,
                "{address} is in use; stop the program that listens there, or choose another address with {option}"
            ),
            io::ErrorKind::PermissionDenied => write!(
                formatter,
                "no permission to listen at {address}; choose another address (a port of 1024 or more) with {option}"
            ),
            io::ErrorKind::AddrNotAvailable => write!(
                formatter,
                "{address} is not an address of this machine; choose another address with {option}, or :PORT for all"
            ),
            // Binding a Unix socket never replaces a file of another type.
            io::ErrorKind::AlreadyExists => {
                write!(formatter, "{address} exists and is not a socket; choose another path with {option}")
            }
            _ => write!(formatter, "cannot listen at {address}: {source}; choose another address with {option}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
