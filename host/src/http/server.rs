//! Accepts connections, serves them with hyper, and closes them at shutdown.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::Scheme;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{debug, warn};

use super::limits::{ActiveRequest, Connections, LimitReached, OpenConnection};
use super::listen::Listeners;
use super::peer::Peer;
use super::stream::{Connection, Http1Io, http1};
use super::tls::HandshakeError;

/// How long a client may take to send a request's head, and how long it may keep a connection open without a request.
/// Applies to the whole head, so a client cannot hold a connection by sending single bytes.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a TLS handshake may take. It needs two round trips, and on a small computer half a second under load.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How a connection with TLS is refused at a limit, since a handshake would cost far more than the refusal may: a fatal
/// alert, `internal_error` (RFC 8446, section 6), in a record that is not encrypted.
const TLS_REFUSAL: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// The answer to a plain HTTP request at an address for HTTPS.
const PLAIN_HTTP: &str = "this address is for HTTPS: use https:// instead of http://";

/// How long to wait after the system failed to accept a connection. It has run out of file descriptors, and retrying at
/// once would keep a core busy.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long the shutdown waits for the next connection to close. Streams end by themselves within milliseconds, and a
/// shutdown with a client that does not read should take less than half a second.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(400);

/// How long connections may continue after the shutdown has started, however many close meanwhile. A busy machine ends a
/// thousand streams in less.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(3);

/// What to do when a client shuts down its sending side before it has its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HalfClose {
    /// Answer: the client has no more requests, but waits for the response.
    Answer,
    /// Drop the request: the client has left.
    Abandon,
}

/// A hyper service that never fails. Each connection has a clone of it.
pub trait HttpService<B>:
    Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<B, S> HttpService<B> for S where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// Serves until `shutdown` completes, then closes all connections and returns.
///
/// Each connection is a task that ends when this future is dropped. `connections` limits them, and may be shared with
/// other listeners.
pub async fn serve<B>(
    listeners: Listeners,
    service: impl HttpService<B>,
    connections: Arc<Connections>,
    half_close: HalfClose,
    shutdown: impl Future<Output = ()>,
) where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let mut tasks = JoinSet::new();
    let (is_shutting_down, _) = watch::channel(false);
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listeners.accept() => match accepted {
                Ok((connection, peer)) => match connections.admit(&connection, peer).await {
                    Ok(open) => {
                        let id = open.id();
                        let (service, shutdown) = (service.clone(), is_shutting_down.subscribe());
                        let task = serve_connection(connection, peer, open, service, half_close, shutdown);
                        connections.set_task(id, tasks.spawn(task));
                    }
                    Err(error) => {
                        warn!("{peer}: 503, {error}");
                        refuse(&connection, error);
                    }
                },
                Err(error) if is_client_error(&error) => debug!("a client left before it was accepted: {error}"),
                Err(error) => {
                    warn!("cannot accept a connection: {error}; check the limit on open files (`ulimit -n`)");
                    connections.close_longest_idle();
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            // Frees the tasks of closed connections.
            Some(_) = tasks.join_next() => {}
        }
    }
    drop(listeners);
    is_shutting_down.send_replace(true);
    let end = Instant::now() + SHUTDOWN_LIMIT;
    while let Ok(Some(_)) = timeout_at(end.min(Instant::now() + SHUTDOWN_GRACE), tasks.join_next()).await {}
    tasks.shutdown().await;
}

/// Returns whether accepting failed because the client was gone already (accept(2)).
fn is_client_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// Tells a client that its connection exceeds a limit. The caller closes it.
fn refuse(connection: &Connection, error: LimitReached) {
    if connection.is_encrypted() {
        connection.socket().refuse(&TLS_REFUSAL);
        return;
    }
    refuse_with(connection, "503 Service Unavailable", "Retry-After: 1\r\n", &error.to_string());
}

/// Sends a response without reading a request. The caller closes the connection.
fn refuse_with(connection: &Connection, status: &str, headers: &str, reason: &str) {
    let code = status.split(' ').next().unwrap_or_default();
    let line = format!("{code} {reason}\n");
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Length: {}\r\n{headers}Connection: close\r\n\r\n{line}",
        line.len()
    );
    connection.socket().refuse(response.as_bytes());
}

/// Completes the TLS handshake of an encrypted connection. If that fails, the client and the log learn why.
async fn shake_hands(connection: &Connection, peer: Peer) -> bool {
    match timeout(HANDSHAKE_TIMEOUT, connection.handshake()).await {
        Ok(Ok(())) => return true,
        Ok(Err(HandshakeError::PlainHttp)) => {
            debug!("{peer}: 400, a plain HTTP request at an address for HTTPS");
            refuse_with(connection, "400 Bad Request", "", PLAIN_HTTP);
        }
        // Not a warning: port scanners and browsers that ask about the certificate do this all the time.
        Ok(Err(error)) => debug!("{peer}: {error}"),
        Err(_) => debug!("{peer}: no TLS handshake within {} s", HANDSHAKE_TIMEOUT.as_secs()),
    }
    false
}

/// Serves one connection until it ends. At shutdown, answers the request in progress and closes it.
async fn serve_connection<B>(
    connection: Connection,
    peer: Peer,
    open: OpenConnection,
    service: impl HttpService<B>,
    half_close: HalfClose,
    mut shutdown: watch::Receiver<bool>,
) where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + 'static,
{
    let socket = connection.socket().clone();
    let writer = connection.writer().clone();
    let scheme = if connection.is_encrypted() { Scheme::HTTPS } else { Scheme::HTTP };
    let can_begin = tokio::select! {
        can_begin = shake_hands(&connection, peer) => can_begin,
        () = shutdown_started(&mut shutdown) => false,
    };
    if !can_begin {
        return;
    }
    let open = Arc::new(open);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(scheme.clone());
        // The response's body may lend it.
        request.extensions_mut().insert(writer.clone());
        let active = open.begin_request();
        let response = service.call(request);
        // Boxed, so that it is freed once it completes: it is large, and hyper reserves space for it in the connection.
        Box::pin(
            async move { response.await.map(|response| response.map(|body| ActiveBody { body, _active: active })) },
        )
    });
    let serving = http1::builder()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        // With `HalfClose::Answer`, hyper does not look for the end of the connection: `Socket::failed` below and
        // `Connections::close_stalled` do.
        .half_close(half_close == HalfClose::Answer)
        // hyper-util's adapter supports vectored writes. Without them, hyper copies every byte of a body.
        .serve_connection(TokioIo::new(Http1Io::new(connection)), answer);
    let mut serving = pin!(serving);
    let result = tokio::select! {
        biased;
        result = &mut serving => result,
        () = socket.failed() => {
            debug!("{peer}: the client is gone");
            return;
        }
        () = shutdown_started(&mut shutdown) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        // Not a warning: viewers always leave by closing the connection in the middle of a response.
        debug!("{peer}: {error}");
    }
}

/// Waits until the server shuts down.
async fn shutdown_started(shutdown: &mut watch::Receiver<bool>) {
    // Fails if the server is gone, which ends the connection as well.
    let _ = shutdown.wait_for(|is_shutting_down| *is_shutting_down).await;
}

/// The body of a response. The request is in progress until it is dropped.
struct ActiveBody<B> {
    body: B,
    _active: ActiveRequest,
}

impl<B: Body + Unpin> Body for ActiveBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
