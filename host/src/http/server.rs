//! Accepting connections, and ending them.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::http1_io::Http1Io;
use super::limits::{ActiveRequest, Connections, LimitReached, OpenConnection};
use super::listen::Listeners;
use super::peer::Peer;
use crate::http::stream::line::Connection;

/// How long a client may take for a request's head, and how long it may keep a connection open without a
/// request. A client that drips its head byte by byte loses its connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// The most of hyper's buffers that a connection may fill. It bounds a request's head, and makes hyper
/// write a part as soon as it has one. hyper accepts no less.
const BUFFER: usize = 8 * 1024;

/// How long to wait after the system refused to accept a connection: it has no file descriptors left, and
/// trying at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long responses may go on after the server was told to end. Streams end by themselves then, which takes their
/// clients a few milliseconds to read; all of it is to be over within half a second.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(400);

/// What it means that a client closes its side of a connection before it has its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HalfClose {
    /// It has nothing more to ask, and is to have its answer.
    Answer,
    /// It has left, and what it asked for is not to be done.
    Abandon,
}

/// What answers requests; of each connection, a clone does. Never fails: its response says what is wrong.
pub trait Answer<B>:
    Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<B, S> Answer<B> for S where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// Serve until `shutdown` is done, then end all connections and return.
///
/// Every connection is a task of this future's own: dropping it ends them all. `connections` counts them, and may be
/// shared with other listeners.
pub async fn serve<B>(
    listeners: Listeners,
    service: impl Answer<B>,
    connections: Arc<Connections>,
    half_close: HalfClose,
    shutdown: impl Future<Output = ()>,
) where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let mut tasks = JoinSet::new();
    let (ending, _) = watch::channel(false);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listeners.accept() => match accepted {
                Ok((connection, peer)) => match connections.admit(&connection, peer).await {
                    Ok(open) => {
                        let id = open.id();
                        let service = service.clone();
                        let task = serve_connection(connection, peer, open, service, half_close, ending.subscribe());
                        connections.set_task(id, tasks.spawn(task));
                    }
                    Err(full) => {
                        warn!("{peer}: 503, {full}");
                        refuse(&connection, full);
                    }
                },
                Err(error) if is_of_connection(&error) => debug!("a client left before it was accepted: {error}"),
                Err(error) => {
                    warn!("cannot accept a connection: {error}; the limit on open files may be reached (`ulimit -n`)");
                    connections.close_longest_idle();
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            // So that ended connections do not pile up.
            Some(_) = tasks.join_next() => {}
        }
    }
    drop(listeners);
    ending.send_replace(true);
    let all_ended = async { while tasks.join_next().await.is_some() {} };
    if timeout(SHUTDOWN_GRACE, all_ended).await.is_err() {
        tasks.shutdown().await;
    }
}

/// Whether accepting failed for a reason of the one connection's: the client was gone before (accept(2)).
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// Tell a client why there is no room for its connection, which is closed after that.
fn refuse(connection: &Connection, full: LimitReached) {
    let line = format!("503 {full}\n");
    let response = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Length: {}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n{line}",
        line.len()
    );
    connection.socket().refuse(response.as_bytes());
}

/// Serve one connection until it ends, or until the request under way is answered when `ending` turns true.
async fn serve_connection<B>(
    connection: Connection,
    peer: Peer,
    open: OpenConnection,
    service: impl Answer<B>,
    half_close: HalfClose,
    mut ending: watch::Receiver<bool>,
) where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + 'static,
{
    let socket = connection.socket().clone();
    let line = connection.line().clone();
    let open = Arc::new(open);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        // For the body of its response.
        request.extensions_mut().insert(line.clone());
        let active = open.begin_request();
        let response = service.call(request);
        // Boxed, so that it is freed when it is done: hyper keeps room for it until the connection ends, and it is large.
        Box::pin(
            async move { response.await.map(|response| response.map(|body| ActiveBody { body, _active: active })) },
        )
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER)
        // If a client that closes its side is to be answered, hyper does not look for the end of the connection: that is
        // noticed below, and by `Connections::close_stalled`.
        .half_close(half_close == HalfClose::Answer)
        // Names of headers are not case-sensitive, but some small clients compare them as if they were.
        .title_case_headers(true)
        // hyper-util's adapter, for it has vectored writes: without them hyper copies every byte of a body.
        .serve_connection(TokioIo::new(Http1Io::new(connection)), answer);
    let mut serving = std::pin::pin!(serving);
    let result = tokio::select! {
        biased;
        result = &mut serving => result,
        () = socket.failed() => {
            debug!("{peer}: the client is gone");
            return;
        }
        () = told_to_end(&mut ending) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        // Viewers leave by closing the connection in the middle of a response; that is how it always ends.
        debug!("{peer}: {error}");
    }
}

/// The body of a response, with which the request is over.
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

/// Wait until the server is told to end.
async fn told_to_end(ending: &mut watch::Receiver<bool>) {
    // Fails when the server is gone, which is an end as well.
    let _ = ending.wait_for(|ending| *ending).await;
}
