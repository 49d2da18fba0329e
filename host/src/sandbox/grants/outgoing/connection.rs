//! Connections to the servers that guests send requests to.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tracing::warn;
use wasmtime_wasi_http::Error;

use super::address::{AddressError, Resolver};
use super::destination::Destination;
use super::tls::{handshake_error, server_name};

/// A connection, encrypted or not.
pub(super) type Stream = Box<dyn ReadWrite>;

pub(super) trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for T {}

/// Connects to a destination.
pub(super) struct Connector {
    pub(super) destination: Destination,
    /// Exists if the destination uses TLS.
    pub(super) tls: Option<TlsConnector>,
    pub(super) resolver: Resolver,
}

impl Connector {
    /// Connects within this time. Logs why that failed.
    pub(super) async fn connect(&self, limit: Duration) -> Result<Stream, Error> {
        match timeout(limit, self.try_connect(limit)).await {
            Ok(result) => result,
            Err(_) => {
                warn!("an outgoing request to {} failed: no connection within {limit:?}", self.destination.origin);
                Err(Error::ConnectionTimeout)
            }
        }
    }

    async fn try_connect(&self, limit: Duration) -> Result<Stream, Error> {
        let origin = &self.destination.origin;
        let addresses = self.resolver.resolve(&self.destination).await.map_err(|error| {
            warn!("an outgoing request to {origin} failed: {error}");
            match error {
                AddressError::Lookup(_) => Error::DnsError { rcode: None, info_code: None },
                AddressError::NoAddress => Error::DestinationNotFound,
                AddressError::NotPublic(..) => Error::DestinationIpProhibited,
            }
        })?;
        let stream = self.connect_to(&addresses, limit).await?;
        // Requests are small, and the guest waits for the response.
        let _ = stream.set_nodelay(true);
        if !self.destination.uses_tls() {
            return Ok(Box::new(stream));
        }
        let tls = self.tls.as_ref().ok_or(Error::ConfigurationError)?;
        match tls.connect(server_name(origin.host())?, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => {
                warn!("an outgoing request to {origin} failed: {error}");
                Err(handshake_error(&error))
            }
        }
    }

    /// Connects to the first address that accepts. Each gets its share of the time, because one that does not respond
    /// must not prevent the next attempt.
    async fn connect_to(&self, addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, Error> {
        let share = limit / u32::try_from(addresses.len()).unwrap_or(1).max(1);
        let mut failure = Error::ConnectionTimeout;
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                // The system connects from the same address only if that is one of this machine. It may be public.
                Ok(Ok(stream))
                    if stream.local_addr().is_ok_and(|own| own.ip() == address.ip())
                        && !self.destination.lists(address.ip()) =>
                {
                    warn!("an outgoing request to {} failed: {address} is this machine", self.destination.origin);
                    failure = Error::DestinationIpProhibited;
                }
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => {
                    warn!("an outgoing request to {} failed: {address}: {error}", self.destination.origin);
                    failure = match error.kind() {
                        std::io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
                        std::io::ErrorKind::TimedOut => Error::ConnectionTimeout,
                        _ => Error::DestinationUnavailable,
                    };
                }
                Err(_) => failure = Error::ConnectionTimeout,
            }
        }
        Err(failure)
    }
}
