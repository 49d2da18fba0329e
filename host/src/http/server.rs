//! Accepting connections, and ending them.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::listen::{Listener, Stream};
use super::peer::Peer;

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
/// Every connection is a task of this future's own: dropping it ends them all.
pub async fn serve<B>(listener: impl Listener, service: impl Answer<B>, shutdown: impl Future<Output = ()>)
where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
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
async fn serve_connection<B>(
    stream: impl Stream,
    peer: Peer,
    service: impl Answer<B>,
    mut ending: watch::Receiver<bool>,
) where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let line = stream.line();
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        // For the body of its response.
        if let Some(line) = &line {
            request.extensions_mut().insert(line.clone());
        }
        // Boxed, so that it is freed when it is done: hyper keeps room for it until the connection ends, and it is large.
        Box::pin(service.call(request))
    });
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
