//! Requests the status from the admin listener of a server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::error::StatusError;
use crate::http::listen::ListenAddress;
use crate::process::private_file::read_private_file;

/// How long the server may take. It answers within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest response accepted, in bytes: a thousand times that of a server with two cameras.
const MAX_LENGTH: usize = 8 << 20;

/// How much of the file with the token is read, in bytes. No token is longer.
const TOKEN_FILE_LIMIT: u64 = 64 << 10;

/// Reads the token of the admin listener.
pub(super) fn read_token(file: &Path) -> Result<String, StatusError> {
    Ok(read_private_file("token file", file, TOKEN_FILE_LIMIT)?.trim().to_owned())
}

/// Requests the status, as JSON.
pub(super) async fn status(address: &ListenAddress, token: Option<&str>) -> Result<String, StatusError> {
    let request = async {
        let failed = |source| StatusError::Connect { address: address.clone(), source };
        match address {
            ListenAddress::Unix(path) => send(UnixStream::connect(path).await.map_err(failed)?, address, token).await,
            ListenAddress::Tls(_) | ListenAddress::Systemd(_) => Err(StatusError::Address(address.clone())),
            _ => send(connect(address).await.map_err(failed)?, address, token).await,
        }
    };
    timeout(TIMEOUT, request).await.unwrap_or_else(|_| Err(StatusError::TimedOut(address.clone())))
}

async fn connect(address: &ListenAddress) -> io::Result<TcpStream> {
    match address {
        ListenAddress::Tcp(address) => TcpStream::connect(address).await,
        ListenAddress::Localhost(port) => TcpStream::connect(("localhost", *port)).await,
        ListenAddress::AllAddresses(port) => TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).await,
        ListenAddress::Unix(_) | ListenAddress::Tls(_) | ListenAddress::Systemd(_) => {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }
}

async fn send<S>(stream: S, address: &ListenAddress, token: Option<&str>) -> Result<String, StatusError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let failed = |error| StatusError::Request(address.clone(), error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    tokio::spawn(connection);
    let mut request = Request::get("/status").header(HOST, "localhost");
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    // Fails only if the token contains control characters, which no token of a server does.
    let request = request.body(Empty::<Bytes>::new()).map_err(|_| StatusError::Unauthorized)?;
    let response = sender.send_request(request).await.map_err(failed)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => return Err(StatusError::Unauthorized),
        status => return Err(StatusError::Status(status)),
    }
    let body = Limited::new(response.into_body(), MAX_LENGTH).collect().await;
    let body = body.map_err(|error| match error.downcast::<LengthLimitError>() {
        Ok(_) => StatusError::TooLong(address.clone()),
        Err(error) => match error.downcast::<hyper::Error>() {
            Ok(error) => failed(*error),
            Err(_) => StatusError::TimedOut(address.clone()),
        },
    })?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}
