//! Which protocols and features of TLS are in use.

use std::sync::Arc;

use rustls::crypto::ring::{self, Ticketer};
use rustls::{ServerConfig, ServerConnection};

use super::certificates::{CertificateResolver, TlsError};

/// The protocol that the server speaks on TLS (RFC 7301). The fan-out and every MJPEG client rely on HTTP/1.1.
const PROTOCOL: &[u8] = b"http/1.1";

/// The settings of all sessions. Clones share them.
#[derive(Clone, Debug)]
pub struct TlsConfig(Arc<ServerConfig>);

impl TlsConfig {
    /// Offers TLS 1.3 and 1.2 with the resolver's certificate, and HTTP/1.1 only. Clients need no certificates.
    ///
    /// # Errors
    ///
    /// Fails if the library cannot be set up.
    pub fn new(certificates: Arc<CertificateResolver>) -> Result<Self, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(certificates);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // A client that returns with a ticket costs no signature, which takes a small computer milliseconds. The state
        // is in the ticket, so it costs no memory either.
        config.ticketer = Ticketer::new()?;
        // Each client connects once or twice, so more tickets would be wasted bytes.
        config.send_tls13_tickets = 1;
        Ok(Self(Arc::new(config)))
    }

    /// Creates a session that waits for a client's first message.
    pub(super) fn session(&self) -> Result<ServerConnection, rustls::Error> {
        ServerConnection::new(self.0.clone())
    }
}
