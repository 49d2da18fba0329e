//! The task of one connection: serves requests with hyper, and without it while a stream is lent.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::CONNECTION;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1::Connection as HyperConnection;
use hyper::service::{HttpService as HyperService, Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::task::unconstrained;
use tokio::time::timeout;
use tracing::debug;

use super::limits::{ActiveRequest, OpenConnection};
use super::lingering_close::linger;
use super::peer::Peer;
use super::stream::without_hyper::{asks_to_close, send_rest};
use super::stream::{Connection, Http1Io, HyperBody, SharedBody, http1};
use super::tls::HandshakeError;

/// How long a client may take to send a request's head, and how long it may keep a connection open without a request.
/// Applies to the whole head, so a client cannot hold a connection by sending single bytes.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a TLS handshake may take. It needs two round trips, and on a small computer half a second under load.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The answer to a plain HTTP request at an address for HTTPS.
const PLAIN_HTTP: &str = "this address is for HTTPS: use https:// instead of http://";

/// What to do when a client shuts down its sending side before it has its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HalfClose {
    /// Answer: the client has no more requests, but waits for the response.
    Answer,
    /// Drop the request: the client has left.
    Abandon,
}

/// A hyper service that never fails. Each connection has a clone of it.
pub trait HttpService:
    Service<Request<Incoming>, Response = Response<<Self as HttpService>::Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
    /// The body of its responses.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static;
}

impl<B, S> HttpService for S
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    type Body = B;
}

/// What the task of one connection needs besides the connection.
pub(super) struct ConnectionTask<S> {
    pub(super) peer: Peer,
    pub(super) open: OpenConnection,
    pub(super) service: S,
    pub(super) half_close: HalfClose,
    /// Whether the server shuts down.
    pub(super) shutdown: watch::Receiver<bool>,
}

impl<S: HttpService> ConnectionTask<S> {
    /// Serves the connection until it ends. At shutdown, answers the request in progress and closes it.
    pub(super) async fn run(self, connection: Connection) {
        let peer = self.peer;
        let can_begin = tokio::select! {
            can_begin = shake_hands(&connection, peer) => can_begin,
            () = shutdown_started(&self.shutdown) => false,
        };
        if !can_begin {
            return;
        }
        let socket = connection.socket().clone();
        let result = tokio::select! {
            biased;
            result = self.serve_requests(connection) => result,
            () = socket.failed() => Err("the client is gone".into()),
        };
        if let Err(error) = result {
            // Not a warning: viewers always leave by closing the connection in the middle of a response.
            debug!("{peer}: {error}");
        }
    }

    /// Serves requests until the client or the server ends the connection.
    async fn serve_requests(self, connection: Connection) -> Result<(), Box<dyn Error + Send + Sync>> {
        let Self { peer, open, service, half_close, shutdown } = self;
        let writer = connection.writer().clone();
        let scheme = if connection.is_encrypted() { Scheme::HTTPS } else { Scheme::HTTP };
        let open = Arc::new(open);
        let exchange = Exchange::default();
        let answer = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(scheme.clone());
            // The response's body may lend it.
            request.extensions_mut().insert(writer.clone());
            exchange.begin(&request);
            let has_large_body = !request.body().is_end_stream()
                && request.body().size_hint().upper().is_none_or(|length| length > http1::BUFFER_SIZE as u64);
            let active = open.begin_request();
            let response = service.call(request);
            let exchange = &exchange;
            // Boxed, so that it is freed once it completes: it is large, and hyper reserves space for it in the
            // connection.
            Box::pin(async move {
                let mut response = response.await?;
                if has_large_body && (response.status().is_client_error() || response.status().is_server_error()) {
                    // Most such requests are refused before their body is read, and then hyper closes the connection.
                    // The client must know (RFC 9112, section 9.6).
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok(response.map(|body| exchange.share(ActiveBody { body, _active: active })))
            })
        });
        let mut io = Http1Io::new(connection);
        loop {
            // Boxed for the same reason. hyper-util's adapter supports vectored writes, without which hyper copies
            // every byte of a body.
            let mut serving = Box::new(
                http1::builder()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIMEOUT)
                    // With `HalfClose::Answer`, hyper does not look for the end of the connection: `Socket::failed` and
                    // `Connections::close_stalled` do.
                    .half_close(half_close == HalfClose::Answer)
                    .serve_connection(TokioIo::new(io), &answer),
            );
            let mut shutting_down = pin!(shutdown_started(&shutdown));
            let mut is_closing = false;
            let served = poll_fn(|context| {
                if let Poll::Ready(result) = Pin::new(&mut *serving).poll(context) {
                    return Poll::Ready(Served::Ended(result));
                }
                if writer.is_lent()
                    && let Some(body) = exchange.take_body()
                {
                    return Poll::Ready(Served::Lent(body));
                }
                if !is_closing && shutting_down.as_mut().poll(context).is_ready() {
                    is_closing = true;
                    Pin::new(&mut *serving).graceful_shutdown();
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            });
            let body = match served.await {
                Served::Lent(body) => body,
                Served::Ended(result) => {
                    // hyper answers invalid requests, too.
                    if result.as_ref().err().is_none_or(hyper::Error::is_parse) {
                        Box::pin(close(take_out(serving), &shutdown)).await?;
                    }
                    return Ok(result?);
                }
            };
            io = take_out(serving);
            // Boxed, so that connections without a stream reserve no space for the body.
            Box::pin(send_rest(&mut io, body)).await?;
            if exchange.is_last() || *shutdown.borrow() {
                return Ok(Box::pin(close(io, &shutdown)).await?);
            }
        }
    }
}

/// Why hyper does not serve a connection any more.
enum Served<B> {
    /// The connection is lent, and this is the rest of the response.
    Lent(B),
    /// hyper serves no more requests.
    Ended(hyper::Result<()>),
}

/// Closes a connection whose last response is written. While the server shuts down, does not wait for the client.
async fn close(mut io: Http1Io<Connection>, shutdown: &watch::Receiver<bool>) -> io::Result<()> {
    io.shutdown().await?;
    tokio::select! {
        // First, so that what has arrived is read in any case.
        biased;
        () = linger(|context, buffer| Pin::new(&mut io).poll_read(context, buffer)) => {}
        // However much the client sends, which uses up what the task may do at a time.
        () = unconstrained(shutdown_started(shutdown)) => {}
    }
    Ok(())
}

/// Completes the TLS handshake of an encrypted connection. If that fails, the client and the log learn why.
async fn shake_hands(connection: &Connection, peer: Peer) -> bool {
    match timeout(HANDSHAKE_TIMEOUT, connection.handshake()).await {
        Ok(Ok(())) => return true,
        Ok(Err(HandshakeError::PlainHttp)) => {
            debug!("{peer}: 400, a plain HTTP request at an address for HTTPS");
            refuse_with(connection, "400 Bad Request", "", PLAIN_HTTP);
            let socket = connection.socket();
            if socket.shut_down_write().is_ok() {
                linger(|context, buffer| socket.poll_read(context, buffer)).await;
            }
        }
        // Not a warning: port scanners and browsers that ask about the certificate do this all the time.
        Ok(Err(error)) => debug!("{peer}: {error}"),
        Err(_) => debug!("{peer}: no TLS handshake within {} s", HANDSHAKE_TIMEOUT.as_secs()),
    }
    false
}

/// Takes a connection out of hyper, and frees all that hyper has kept for it.
#[expect(clippy::boxed_local, reason = "moving out of a box elsewhere would free it only after the stream")]
fn take_out<S, B>(serving: Box<HyperConnection<TokioIo<Http1Io<Connection>>, S>>) -> Http1Io<Connection>
where
    S: HyperService<Incoming, ResBody = B, Error = Infallible>,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let parts = serving.into_parts();
    let mut io = parts.io.into_inner();
    io.unread(&parts.read_buf);
    io
}

/// Sends a response without reading a request. The caller closes the connection.
pub(super) fn refuse_with(connection: &Connection, status: &str, headers: &str, reason: &str) {
    let code = status.split(' ').next().unwrap_or_default();
    let line = format!("{code} {reason}\n");
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Length: {}\r\n{headers}Connection: close\r\n\r\n{line}",
        line.len()
    );
    connection.socket().refuse(response.as_bytes());
}

/// Waits until the server shuts down.
async fn shutdown_started(shutdown: &watch::Receiver<bool>) {
    // Fails if the server is gone, which ends the connection as well.
    let _ = shutdown.clone().wait_for(|is_shutting_down| *is_shutting_down).await;
}

/// The request and the response that a connection is busy with. HTTP/1.1 allows one at a time.
struct Exchange<B>(Mutex<ExchangeState<B>>);

struct ExchangeState<B> {
    /// The body of the response. `None` if it cannot be taken away from hyper, which still receives the request's body.
    response: Option<SharedBody<B>>,
    has_request_body: bool,
    /// Whether the client wants the connection closed after the response.
    is_last: bool,
}

impl<B> Default for Exchange<B> {
    fn default() -> Self {
        Self(Mutex::new(ExchangeState { response: None, has_request_body: false, is_last: false }))
    }
}

impl<B> Exchange<B> {
    /// Notes what matters once hyper is gone.
    fn begin(&self, request: &Request<Incoming>) {
        let has_request_body = !request.body().is_end_stream();
        *self.lock() = ExchangeState { response: None, has_request_body, is_last: asks_to_close(request.headers()) };
    }

    /// Returns the body of the response for hyper.
    fn share(&self, body: B) -> HyperBody<B> {
        let (shared, for_hyper) = SharedBody::new(body);
        let mut state = self.lock();
        state.response = if state.has_request_body { None } else { Some(shared) };
        for_hyper
    }

    /// Takes the body of the response away from hyper, if that is possible.
    fn take_body(&self) -> Option<B> {
        let response = self.lock().response.take();
        response.and_then(|shared| shared.take())
    }

    fn is_last(&self) -> bool {
        self.lock().is_last
    }

    fn lock(&self) -> MutexGuard<'_, ExchangeState<B>> {
        // No code that runs under the lock can leave the data inconsistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
