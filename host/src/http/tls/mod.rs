//! TLS for clients.
//!
//! Parts are shared until they are encrypted: a session is a [`Sink`](super::stream::write_half::Sink), as a socket is,
//! so the fan-out and hyper write to both in the same way. Each session has keys of its own, so each viewer's bytes are
//! encrypted once more, record by record, from the shared part.
//!
//! * [`certificates`]: the certificate and its key, read from files and read again when they change.
//! * [`config`]: which protocols and features of TLS are in use.
//! * [`session`]: one encrypted connection: handshake, reading and writing.
//! * [`watch`]: notices that the files have changed.

pub mod certificates;
pub mod config;
pub mod session;
pub mod watch;

pub use self::certificates::{CertificateFiles, CertificateResolver, TlsError};
pub use self::config::TlsConfig;
pub use self::session::{HandshakeError, TlsSession};
pub use self::watch::reload_when_changed;
