//! Servers with TLS, and clients that check their certificates.
//!
//! The certificates are for `localhost` and the loopback addresses, from the authority in `ca.pem`.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::client::connect;
use super::server::{Server, command};

/// The authority's certificate, in PEM format.
pub const AUTHORITY: &[u8] = include_bytes!("ca.pem");

/// An encrypted connection.
pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// A certificate and its key, in PEM format.
pub struct Certificate {
    pub certificate: &'static [u8],
    pub key: &'static [u8],
}

/// The first certificate of a server.
pub const FIRST: Certificate =
    Certificate { certificate: include_bytes!("server.pem"), key: include_bytes!("server.key") };

/// The certificate that replaces the first.
pub const RENEWED: Certificate =
    Certificate { certificate: include_bytes!("renewed.pem"), key: include_bytes!("renewed.key") };

impl Certificate {
    /// Writes both files to a folder, in place of those that it has, and returns their paths.
    pub fn write(&self, folder: &Path) -> [PathBuf; 2] {
        let [certificate, key] = ["server.pem", "server.key"].map(|name| folder.join(name));
        for (path, bytes) in [(&certificate, self.certificate), (&key, self.key)] {
            let new = path.with_extension("new");
            let mut file = fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&new).unwrap();
            file.write_all(bytes).unwrap();
            fs::rename(new, path).unwrap();
        }
        [certificate, key]
    }

    /// The certificate as clients receive it.
    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate).unwrap()
    }
}

/// Returns a command like [`command`], with the first certificate from files in `folder`, and these arguments.
pub fn command_with_tls(folder: &Path, args: &[&str]) -> Command {
    let [certificate, key] = FIRST.write(folder);
    let mut command = command();
    command.arg("--tls-certificate").arg(certificate).arg("--tls-key").arg(key).args(args);
    command
}

/// Starts a server that listens at a free port of 127.0.0.1 with TLS.
pub fn start(folder: &Path, args: &[&str]) -> Server {
    Server::start_command(command_with_tls(folder, &[&["--listen", "tls:127.0.0.1:0"], args].concat()))
}

/// Connects, and leaves the handshake to the first write.
pub fn connect_tls(address: SocketAddr) -> TlsStream {
    tls_over(connect(address))
}

/// Uses TLS on an open connection.
pub fn tls_over(stream: TcpStream) -> TlsStream {
    tls_with(stream, &[b"http/1.1"])
}

/// Uses TLS on an open connection, and offers these protocols (ALPN).
pub fn tls_with(stream: TcpStream, protocols: &[&[u8]]) -> TlsStream {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(AUTHORITY).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
}
