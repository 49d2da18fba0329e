//! What all listeners share: the certificate, and the sockets that systemd has opened.

use std::sync::Arc;

use tracing::warn;

use super::error::AppError;
use crate::config::serve_args::ServeArgs;
use crate::http::listen::{Binder, InheritedSockets};
use crate::http::tls::{CertificateFiles, CertificateResolver, TlsConfig};

/// Reads the certificate, if there is one.
pub(super) fn certificates(args: &ServeArgs) -> Result<Option<Arc<CertificateResolver>>, AppError> {
    let (Some(certificate), Some(key)) = (&args.tls_certificate, &args.tls_key) else { return Ok(None) };
    let files = CertificateFiles { certificate: certificate.clone(), key: key.clone() };
    Ok(Some(CertificateResolver::open(files)?))
}

/// Prepares to listen.
pub(super) fn binder(
    certificates: Option<&Arc<CertificateResolver>>,
    inherited: InheritedSockets,
) -> Result<Binder, AppError> {
    let tls = certificates.cloned().map(TlsConfig::new).transpose()?;
    Ok(Binder::new(tls, inherited))
}

/// Warns about sockets that clients can connect to, but that the server does not serve.
pub(super) fn warn_about_unused(binder: &Binder) {
    for name in binder.unused() {
        warn!("nothing serves the socket {name} of systemd; add --listen systemd:{name} or --admin systemd:{name}");
    }
}
