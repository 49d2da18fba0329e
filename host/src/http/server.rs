//! Accepting connections, and ending them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::service::Service;

/// How many connections may wait to be accepted: a page full of viewers that reload at once. The kernel
/// cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// How long a client may take for a request's head, and how long it may keep a connection open without a
/// request. A client that drips its head byte by byte loses its connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// The most of hyper's buffers that a connection may fill. It bounds a request's head, and makes hyper
/// write a part as soon as it has one. hyper accepts no less.
const BUFFER: usize = 8 * 1024;

/// How much of a response the kernel may hold that it has not begun to send. Without a bound it takes
/// megabytes, and a viewer on a slow link sees pictures that are seconds old; with it, what waits is about
/// one frame.
const UNSENT: u32 = 128 * 1024;

/// How long what was sent may stay unacknowledged, or a full window closed, before the kernel gives the
/// client up: a viewer that has stopped reading, or whose power was cut. Wi-Fi outages are shorter.
const STUCK_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait after the system refused to accept a connection: it has no file descriptors left, and
/// trying at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long responses may go on after the server was told to end. Streams have no end of their own.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);

/// Why an address can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else serves there.
    #[error("{0} is in use; end the program that serves there, or choose another with --listen")]
    InUse(SocketAddr),
    /// A port that only root may use.
    #[error("no permission to serve at {0}; choose a port of 1024 or more with --listen")]
    Denied(SocketAddr),
    /// Not an address of this machine.
    #[error("{0} is not an address of this machine; choose one that is with --listen, or 0.0.0.0 for all")]
    NotHere(SocketAddr),
    /// Something else.
    #[error("cannot serve at {address}: {source}")]
    Other {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}

/// Take an address to serve at. Must be called inside a Tokio runtime.
pub fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    bind(address).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address),
        io::ErrorKind::PermissionDenied => ListenError::Denied(address),
        io::ErrorKind::AddrNotAvailable => ListenError::NotHere(address),
        _ => ListenError::Other { address, source },
    })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that is started again must not wait for the connections of the one before to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Serve until `shutdown` is done, then end all connections and return.
///
/// Every connection is a task of this future's own: dropping it ends them all.
pub async fn serve(listener: TcpListener, service: Arc<Service>, shutdown: impl Future<Output = ()>) {
    let mut connections = JoinSet::new();
    let (ending, _) = watch::channel(false);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve_connection(stream, peer, service.clone(), ending.subscribe()));
                }
                Err(error) if is_of_connection(&error) => debug!("a client left before it was accepted: {error}"),
                Err(error) => {
                    warn!("cannot accept a connection: {error}; the limit on open files may be reached (`ulimit -n`)");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            // So that ended connections do not pile up.
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    ending.send_replace(true);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if timeout(SHUTDOWN_GRACE, all_ended).await.is_err() {
        connections.shutdown().await;
    }
}

/// Whether accepting failed for a reason of the one connection's: the client was gone before (accept(2)).
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// Serve one connection until it ends, or until the request under way is answered when `ending` turns true.
async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    service: Arc<Service>,
    mut ending: watch::Receiver<bool>,
) {
    if let Err(error) = set_options(&stream) {
        debug!("{peer}: {error}");
        return;
    }
    let answer = service_fn(|request| service.answer(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER)
        // Names of headers are not case-sensitive, but some small clients compare them as if they were.
        .title_case_headers(true)
        // hyper-util's adapter, for it has vectored writes: without them hyper copies every byte of a body.
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = &mut connection => result,
        () = told_to_end(&mut ending) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        // Viewers leave by closing the connection in the middle of a response; that is how it always ends.
        debug!("{peer}: {error}");
    }
}

/// Wait until the server is told to end.
async fn told_to_end(ending: &mut watch::Receiver<bool>) {
    // Fails when the server is gone, which is an end as well.
    let _ = ending.wait_for(|ending| *ending).await;
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    // A part is one write; waiting for more to put into a packet would only delay it (by up to 40 ms).
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_notsent_lowat(UNSENT)?;
    socket.set_tcp_user_timeout(Some(STUCK_TIMEOUT))
}
