//! Reads the certificate again when its files change, as certbot, Caddy and other programs renew it.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::certificates::CertificateResolver;
use crate::process::file_changes::FileChanges;

/// Reads the certificate again whenever one of its files changes, until the future is dropped. A pair that cannot be
/// used is logged, and the previous one stays in use.
pub async fn reload_when_changed(certificates: Arc<CertificateResolver>) {
    let watch_files = || {
        let files = certificates.files();
        (FileChanges::of(files.certificate), FileChanges::of(files.key))
    };
    let (mut certificate, mut key) = watch_files();
    loop {
        tokio::select! {
            () = certificate.next() => {}
            () = key.next() => {}
            () = certificates.moved() => {
                (certificate, key) = watch_files();
                continue;
            }
        }
        let resolver = certificates.clone();
        // Fails only if reading panics; the next change is another opportunity.
        let _ = spawn_blocking(move || resolver.reload()).await;
    }
}
