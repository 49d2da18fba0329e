//! Requests the status from the admin listener of a server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::error::StatusError;
use crate::admin::TOKEN_FILE_LIMIT;
use crate::http::listen::ListenAddress;
use crate::process::private_file::read_private_file;
use crate::tls_client::connector;

/// How long the server may take. It answers within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest response accepted, in bytes: a thousand times that of a server with two cameras.
const MAX_LENGTH: usize = 8 << 20;

/// Reads the token of the admin listener.
pub(super) fn read_token(file: &Path) -> Result<String, StatusError> {
    Ok(read_private_file("token file", file, TOKEN_FILE_LIMIT)?.trim().to_owned())
}

/// Who asks for the status.
pub(super) enum Login {
    /// Someone who may without a login.
    None,
    /// Whoever has the token of the admin listener.
    Token(String),
    /// A user.
    User { name: String, password: String },
}

impl Login {
    /// The value of the header `Authorization`.
    fn header(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Token(token) => Some(format!("Bearer {token}")),
            Self::User { name, password } => Some(format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))),
        }
    }
}

/// Requests the status, as JSON. With TLS, the certificate must be for `name`, or else for the address.
pub(super) async fn status(address: &ListenAddress, name: Option<&str>, login: &Login) -> Result<String, StatusError> {
    let request = async {
        match address {
            ListenAddress::Tls(inner) => {
                let stream = connect(inner).await?;
                let name = server_name(inner, name)?;
                let failed = |error| StatusError::Handshake(address.clone(), error);
                send(connector()?.connect(name, stream).await.map_err(failed)?, address, login).await
            }
            _ => send(connect(address).await?, address, login).await,
        }
    };
    timeout(TIMEOUT, request).await.unwrap_or_else(|_| Err(StatusError::TimedOut(address.clone())))
}

/// What the command reads and writes.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

async fn connect(address: &ListenAddress) -> Result<Box<dyn Stream>, StatusError> {
    let connected = match address {
        ListenAddress::Tcp(address) => TcpStream::connect(address).await,
        ListenAddress::Localhost(port) => TcpStream::connect(("localhost", *port)).await,
        ListenAddress::AllAddresses(port) => TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).await,
        ListenAddress::Unix(path) => {
            let failed = |source| StatusError::Connect { address: address.clone(), source };
            return Ok(Box::new(UnixStream::connect(path).await.map_err(failed)?));
        }
        ListenAddress::Tls(_) | ListenAddress::Systemd(_) => return Err(StatusError::Address(address.clone())),
    };
    Ok(Box::new(connected.map_err(|source| StatusError::Connect { address: address.clone(), source })?))
}

/// The name that the certificate of a server must be for.
fn server_name(address: &ListenAddress, name: Option<&str>) -> Result<ServerName<'static>, StatusError> {
    match (name, address) {
        (Some(name), _) => ServerName::try_from(name.to_owned()).map_err(|_| StatusError::Name(name.to_owned())),
        (None, ListenAddress::Tcp(address)) => Ok(address.ip().into()),
        (None, _) => ServerName::try_from("localhost").map_err(|_| StatusError::Name("localhost".to_owned())),
    }
}

async fn send(stream: impl Stream + 'static, address: &ListenAddress, login: &Login) -> Result<String, StatusError> {
    let failed = |error| StatusError::Request(address.clone(), error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    tokio::spawn(connection);
    let mut request = Request::get("/status").header(HOST, "localhost");
    if let Some(login) = login.header() {
        request = request.header(AUTHORIZATION, login);
    }
    // Fails only if the token contains control characters, which no token of a server does.
    let request = request.body(Empty::<Bytes>::new()).map_err(|_| StatusError::Unauthorized)?;
    let response = sender.send_request(request).await.map_err(failed)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => return Err(StatusError::Unauthorized),
        StatusCode::FORBIDDEN => return Err(StatusError::Forbidden),
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
