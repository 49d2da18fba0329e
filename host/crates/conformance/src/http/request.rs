//! Requests and their responses.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::body::{Body, Framing};
use super::head::Head;

/// A request without a body.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, with its query.
    pub path: &'a str,
    /// The minor version of HTTP/1: 0 or 1.
    pub minor_version: u8,
    /// Headers in addition to `Host`.
    pub headers: &'a [(&'a str, &'a str)],
    /// The socket's receive buffer (`SO_RCVBUF`), in bytes. `None` is the system's default.
    pub receive_buffer: Option<usize>,
    /// Whether to write each byte of the request separately.
    pub single_bytes: bool,
}

impl<'a> Request<'a> {
    /// An ordinary GET request.
    #[must_use]
    pub fn get(path: &'a str) -> Self {
        Self { method: "GET", path, minor_version: 1, headers: &[], receive_buffer: None, single_bytes: false }
    }

    /// Replaces the method.
    #[must_use]
    pub fn method(self, method: &'a str) -> Self {
        Self { method, ..self }
    }
}

/// A response whose head has arrived.
#[derive(Debug)]
pub struct Response {
    /// The status line and headers.
    pub head: Head,
    /// The body, which is read on demand.
    pub body: Body,
}

/// Sends a request to a server (`HOST:PORT`) and reads the response's head. The whole response must arrive within
/// `timeout`.
///
/// # Errors
///
/// If the connection fails, the response is not HTTP/1, or the timeout expires.
pub fn request(address: &str, request: &Request<'_>, timeout: Duration) -> Result<Response, String> {
    let deadline = std::time::Instant::now() + timeout;
    let mut stream = connect(address, request.receive_buffer, timeout)?;
    let mut text =
        format!("{} {} HTTP/1.{}\r\nHost: {address}\r\n", request.method, request.path, request.minor_version);
    for (name, value) in request.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let writes = text.as_bytes().chunks(if request.single_bytes { 1 } else { text.len() });
    for bytes in writes {
        stream.write_all(bytes).map_err(|error| format!("cannot send the request: {error}"))?;
    }
    let mut body = Body::new(stream, deadline, timeout);
    let head = body.read_head()?;
    let is_chunked = head.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    body.framing = if request.method == "HEAD" || matches!(head.status, 204 | 304) {
        Framing::End
    } else if is_chunked {
        if request.minor_version == 0 {
            return Err("the response to an HTTP/1.0 request is chunked".into());
        }
        Framing::ChunkSize
    } else if let Some(length) = head.header("content-length") {
        Framing::Length(length.parse().map_err(|_| format!("Content-Length is {length:?}"))?)
    } else {
        Framing::Close
    };
    Ok(Response { head, body })
}

/// Connects to a server (`HOST:PORT`).
pub(crate) fn connect(address: &str, receive_buffer: Option<usize>, timeout: Duration) -> Result<TcpStream, String> {
    let cannot = |error: &dyn std::fmt::Display| format!("cannot connect to {address}: {error}");
    let mut last_error = cannot(&"no such host");
    for resolved in address.to_socket_addrs().map_err(|error| cannot(&error))? {
        let connected = match receive_buffer {
            None => TcpStream::connect_timeout(&resolved, timeout),
            Some(size) => connect_with_receive_buffer(resolved, size, timeout),
        };
        match connected {
            Ok(stream) => {
                let configured = stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(timeout)));
                return configured.map(|()| stream).map_err(|error| cannot(&error));
            }
            Err(error) => last_error = cannot(&error),
        }
    }
    Err(last_error)
}

/// Sets the receive buffer before connecting, because its size determines the advertised window (tcp(7)).
fn connect_with_receive_buffer(address: SocketAddr, size: usize, timeout: Duration) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_recv_buffer_size(size)?;
    socket.connect_timeout(&address.into(), timeout)?;
    Ok(socket.into())
}
