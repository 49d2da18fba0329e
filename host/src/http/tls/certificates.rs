//! The certificate of the server and its private key.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::InconsistentKeys;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::process::private_file::{PrivateFileError, read_private_file};
use crate::process::regular_file::open_regular_file;

/// How much of each file is read, in bytes. A chain of ten certificates has about 20 kB.
const FILE_LIMIT: u64 = 256 << 10;

/// What shows that a PEM file has a key with a passphrase: the label of RFC 7468 (section 11), and the header of the
/// older format that OpenSSL wrote before (RFC 1421, section 4.6.1.1).
const ENCRYPTED_KEY: [&str; 2] = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];

/// Why TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate cannot be read.
    #[error("cannot read the TLS certificate {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The certificate's file is not PEM.
    #[error("the TLS certificate {} is not a PEM file: {reason}", path.display())]
    CertificateSyntax {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: pem::Error,
    },
    /// The certificate's file contains none.
    #[error("the TLS certificate {} contains no certificate; it must be a PEM file with the whole chain", .0.display())]
    NoCertificate(PathBuf),
    /// The key cannot be read, or others can read it.
    #[error(transparent)]
    PrivateFile(#[from] PrivateFileError),
    /// The key's file contains no usable key. The reason contains nothing of the content.
    #[error("the TLS key {} contains no private key in PEM format", .0.display())]
    NoKey(PathBuf),
    /// The key is encrypted with a passphrase, which a server that starts unattended cannot ask for.
    #[error("the TLS key {} has a passphrase; write a copy without it (`openssl pkey -in KEY -out COPY`)", .0.display())]
    EncryptedKey(PathBuf),
    /// The library does not support the key.
    #[error(
        "the TLS key {} cannot be used: {reason}; create an ECDSA key on P-256 or P-384, an Ed25519 key, or an RSA key \
         of 2048 to 4096 bits", path.display()
    )]
    UnsupportedKey {
        /// The file.
        path: PathBuf,
        /// The library's reason.
        reason: rustls::Error,
    },
    /// The certificate and the key do not belong together, or the library does not support the certificate.
    #[error("the TLS certificate {} and the key {} cannot be used together: {reason}", files.certificate.display(), files.key.display())]
    Pair {
        /// The files.
        files: CertificateFiles,
        /// The library's reason.
        reason: rustls::Error,
    },
    /// The library cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

/// The files of a certificate and of its key, both in PEM format.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateFiles {
    /// The chain: the server's own certificate first, then those of intermediate authorities.
    pub certificate: PathBuf,
    /// The private key. Only the user who runs the server, or root, may have access to the file.
    pub key: PathBuf,
}

impl CertificateFiles {
    /// Reads both files, and checks that they belong together. Blocks while it does.
    fn read(&self) -> Result<CertifiedKey, TlsError> {
        let text = read_limited(&self.certificate)
            .map_err(|source| TlsError::Read { path: self.certificate.clone(), source })?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|reason| TlsError::CertificateSyntax { path: self.certificate.clone(), reason })?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(self.certificate.clone()));
        }
        let text = read_private_file("TLS key", &self.key, FILE_LIMIT)?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
            let is_encrypted = ENCRYPTED_KEY.iter().any(|mark| text.contains(mark));
            if is_encrypted { TlsError::EncryptedKey(self.key.clone()) } else { TlsError::NoKey(self.key.clone()) }
        })?;
        let key = ring::default_provider()
            .key_provider
            .load_private_key(key)
            .map_err(|reason| TlsError::UnsupportedKey { path: self.key.clone(), reason })?;
        let pair = CertifiedKey::new(chain, key);
        match pair.keys_match() {
            // Only some kinds of keys can be compared.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(pair),
            Err(reason) => Err(TlsError::Pair { files: self.clone(), reason }),
        }
    }
}

/// Reads a file of at most [`FILE_LIMIT`] bytes. What follows is ignored.
fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular_file(path)?.take(FILE_LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The certificate that new connections get. It can be replaced while the server runs; connections keep the keys that
/// they have.
pub struct CertificateResolver {
    current: RwLock<Current>,
    /// Notified when other files are in use.
    moved: Notify,
}

struct Current {
    files: CertificateFiles,
    key: Arc<CertifiedKey>,
}

impl CertificateResolver {
    /// Reads the certificate and its key from these files. Blocks while it does.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or used, or if other users can read the key.
    pub fn open(files: CertificateFiles) -> Result<Arc<Self>, TlsError> {
        let key = Arc::new(files.read()?);
        Ok(Arc::new(Self { current: RwLock::new(Current { files, key }), moved: Notify::new() }))
    }

    /// Returns the files that the certificate comes from.
    pub fn files(&self) -> CertificateFiles {
        self.current.read().unwrap_or_else(PoisonError::into_inner).files.clone()
    }

    /// Reads the certificate from other files, or from the same again, and uses it for new connections. Returns whether
    /// the certificate is another one. Blocks while it reads.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open). The certificate stays as it was.
    pub fn replace(&self, files: CertificateFiles) -> Result<bool, TlsError> {
        let key = Arc::new(files.read()?);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = current.key.cert != key.cert;
        if current.files != files {
            self.moved.notify_one();
        }
        *current = Current { files, key };
        Ok(is_new)
    }

    /// Waits until other files are in use.
    pub(super) async fn moved(&self) {
        self.moved.notified().await;
    }

    /// Reads the files again. The outcome is logged. Blocks while it reads.
    pub fn reload(&self) {
        match self.replace(self.files()) {
            Ok(true) => info!("TLS: new connections get the new certificate"),
            Ok(false) => {}
            Err(error) => warn!("TLS: the certificate stays as it was: {error}"),
        }
    }
}

impl fmt::Debug for CertificateResolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("CertificateResolver").field(&self.files()).finish()
    }
}

impl ResolvesServerCert for CertificateResolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).key.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../../../crates/test-support/src/tls/server.pem");
    const KEY: &[u8] = include_bytes!("../../../crates/test-support/src/tls/server.key");
    const OTHER_CERTIFICATE: &[u8] = include_bytes!("../../../crates/test-support/src/tls/renewed.pem");
    const OTHER_KEY: &[u8] = include_bytes!("../../../crates/test-support/src/tls/renewed.key");
    const P521_KEY: &[u8] = include_bytes!("../../../crates/test-support/src/tls/p521.key");
    const WITH_PASSPHRASE: &[u8] =
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    const WITH_PASSPHRASE_OLD: &[u8] =
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";

    fn write(files: &CertificateFiles, certificate: &[u8], key: &[u8]) {
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn files(folder: &Path) -> CertificateFiles {
        CertificateFiles { certificate: folder.join("server.pem"), key: folder.join("server.key") }
    }

    #[test]
    fn a_pair_that_cannot_be_used_is_refused_and_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        write(&files, CERTIFICATE, KEY);
        let resolver = CertificateResolver::open(files.clone()).unwrap();
        let current = || resolver.current.read().unwrap().key.cert.clone();
        let first = current();
        assert!(!resolver.replace(files.clone()).unwrap(), "nothing has changed");
        for (certificate, key, reason) in [
            (OTHER_CERTIFICATE, KEY, "cannot be used together"),
            (b"", KEY, "contains no certificate"),
            (b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", KEY, "is not a PEM file"),
            (CERTIFICATE, b"", "contains no private key"),
            (CERTIFICATE, CERTIFICATE, "contains no private key"),
            (CERTIFICATE, WITH_PASSPHRASE, "has a passphrase; write a copy"),
            (CERTIFICATE, WITH_PASSPHRASE_OLD, "has a passphrase; write a copy"),
            (CERTIFICATE, P521_KEY, "create an ECDSA key on P-256 or P-384"),
        ] {
            write(&files, certificate, key);
            let error = resolver.replace(files.clone()).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert_eq!(current(), first);
        }
        write(&files, CERTIFICATE, KEY);
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(resolver.replace(files.clone()), Err(TlsError::PrivateFile(_))));
        write(&files, OTHER_CERTIFICATE, OTHER_KEY);
        assert!(resolver.replace(files).unwrap());
        assert_ne!(current(), first);
    }
}
