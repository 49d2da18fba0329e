//! Servers that guests send requests to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A server at a free port of 127.0.0.1.
pub struct Origin {
    pub address: SocketAddr,
    /// What it received with each request: the head, and what arrived with it.
    pub requests: Receiver<String>,
}

/// A connection.
pub trait Connection: Read + Write + Send {}

impl<T: Read + Write + Send> Connection for T {}

impl Origin {
    /// Starts a server that calls `respond` after it has received the head of a request.
    pub fn start(respond: impl Fn(&mut dyn Connection) + Send + Sync + 'static) -> Self {
        Self::start_with(respond, |stream| Box::new(stream))
    }

    /// Starts a server that responds with these bytes and closes the connection.
    pub fn responding(response: &'static str) -> Self {
        Self::start(move |connection| {
            let _ = connection.write_all(response.as_bytes());
        })
    }

    /// Starts a server with TLS. Its certificate is for `localhost` and 127.0.0.1, from the authority `tls/ca.pem`.
    pub fn with_tls(response: &'static str) -> Self {
        let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let config = Arc::new(config);
        Self::start_with(
            move |connection| {
                let _ = connection.write_all(response.as_bytes());
                let _ = connection.flush();
            },
            move |stream| {
                let session = rustls::ServerConnection::new(config.clone()).unwrap();
                Box::new(rustls::StreamOwned::new(session, stream))
            },
        )
    }

    fn start_with(
        respond: impl Fn(&mut dyn Connection) + Send + Sync + 'static,
        accept: impl Fn(std::net::TcpStream) -> Box<dyn Connection> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        let respond = Arc::new(respond);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (mut connection, respond, sender) = (accept(stream), respond.clone(), sender.clone());
                thread::spawn(move || {
                    let mut received = Vec::new();
                    let mut buffer = [0; 4096];
                    while !received.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                        match connection.read(&mut buffer) {
                            Ok(0) | Err(_) => return,
                            Ok(length) => received.extend(&buffer[..length]),
                        }
                    }
                    // The test may not be interested.
                    let _ = sender.send(String::from_utf8_lossy(&received).into_owned());
                    respond(&mut *connection);
                });
            }
        });
        Self { address, requests }
    }

    /// The origin as an option.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A URL at this server.
    pub fn url(&self) -> String {
        format!("{}/path?query", self.origin())
    }
}
