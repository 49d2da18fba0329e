//! TLS for requests of this program: servers are verified with the certificates of the system.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Why requests cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There are no certificates to verify servers with.
    #[error(
        "no certificates to verify HTTPS servers with; install the package ca-certificates, or set SSL_CERT_FILE to a \
         PEM file with certificates"
    )]
    NoCertificates,
    /// The library cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

/// Creates what encrypts connections. Reads the certificates of the system, or those that `SSL_CERT_FILE` or
/// `SSL_CERT_DIR` names.
pub fn connector() -> Result<TlsConnector, TlsError> {
    let mut roots = RootCertStore::empty();
    let (accepted, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if accepted == 0 {
        return Err(TlsError::NoCertificates);
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}
