//! TLS for outgoing requests: verified with the certificates of the system.

use std::io;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use url::Host;
use wasmtime_wasi_http::Error;

/// Why requests to HTTPS origins cannot be sent.
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
pub(super) fn connector() -> Result<TlsConnector, TlsError> {
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

/// The name that the certificate must be for.
pub(super) fn server_name(host: &Host) -> Result<ServerName<'static>, Error> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid),
        Host::Ipv4(address) => Ok(ServerName::from(std::net::IpAddr::from(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(std::net::IpAddr::from(*address))),
    }
}

/// The error of `wasi:http` for a handshake that failed.
pub(super) fn handshake_error(error: &io::Error) -> Error {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
        Some(rustls::Error::AlertReceived(alert)) => {
            Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: Some(format!("{alert:?}")) }
        }
        _ => Error::TlsProtocolError,
    }
}
