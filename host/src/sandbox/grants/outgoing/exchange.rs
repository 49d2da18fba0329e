//! A request and its response.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{Method, Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1::{self, Connection};
use hyper_util::rt::TokioIo;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{RequestBody, ResponseBody};
use super::connection::{Connector, Stream};
use super::limits::{MAX_HEAD_BYTES, Slots, TOTAL_TIMEOUT, Timeouts};

/// A request in progress: a future that returns the response. Dropping it aborts the request.
pub(in crate::sandbox) struct Exchange {
    response: oneshot::Receiver<Result<Response<WasiBody>, Error>>,
    /// `None` after the response was returned.
    task: Option<RequestTask>,
}

/// The task that sends and receives. Dropping it ends the connection.
pub(in crate::sandbox) struct RequestTask(JoinHandle<()>);

impl Drop for RequestTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Future for RequestTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context).map(drop)
    }
}

impl Future for Exchange {
    type Output = Result<(Response<WasiBody>, RequestTask), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // The task sends a result unless it panicked or its runtime has stopped.
        let response = ready!(Pin::new(&mut self.response).poll(context)).unwrap_or(Err(Error::ConnectionTerminated));
        let task = self.task.take().ok_or(Error::ConnectionTerminated)?;
        Poll::Ready(response.map(|response| (response, task)))
    }
}

/// Starts a request in a task of this runtime. It holds `slots` until its connection ends.
pub(super) fn start(
    runtime: &Handle,
    connector: Connector,
    request: Request<WasiBody>,
    options: RequestOptions,
    slots: Slots,
) -> Result<Exchange, Error> {
    let request = prepare(&connector, request)?;
    let timeouts = Timeouts::new(options);
    let (sender, response) = oneshot::channel();
    let task = runtime.spawn(async move {
        let _slots = slots;
        let end = Instant::now() + TOTAL_TIMEOUT;
        match respond(&connector, request, timeouts, end).await {
            Ok((response, connection)) => {
                if sender.send(Ok(response)).is_ok()
                    && let Some(connection) = connection
                {
                    // Errors reach the guest through the body.
                    let _ = timeout_at(end, connection).await;
                }
            }
            Err(error) => {
                // The guest may no longer wait.
                let _ = sender.send(Err(error));
            }
        }
    });
    Ok(Exchange { response, task: Some(RequestTask(task)) })
}

/// Makes the request fit for a connection to its destination.
fn prepare(connector: &Connector, request: Request<WasiBody>) -> Result<Request<RequestBody>, Error> {
    // CONNECT asks for a tunnel, which would avoid all limits.
    if request.method() == Method::CONNECT {
        return Err(Error::HttpRequestMethodInvalid);
    }
    let (mut head, body) = request.into_parts();
    let host = connector.destination.host_header().ok_or(Error::HttpRequestUriInvalid)?;
    head.headers.insert(HOST, host);
    head.uri = request_target(&head.uri).ok_or(Error::HttpRequestUriInvalid)?;
    Ok(Request::from_parts(head, RequestBody::new(body)?))
}

/// The path and query, which is what a server expects that is no proxy (RFC 9112, section 3.2.1).
fn request_target(uri: &Uri) -> Option<Uri> {
    let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    target.parse().ok()
}

/// A connection with a response in progress. `None` if it has ended.
type HttpConnection = Option<Connection<TokioIo<Stream>, RequestBody>>;

/// Sends the request and waits for the head of the response. The connection must be polled to receive the body.
async fn respond(
    connector: &Connector,
    request: Request<RequestBody>,
    timeouts: Timeouts,
    end: Instant,
) -> Result<(Response<WasiBody>, HttpConnection), Error> {
    let origin = &connector.destination.origin;
    let stream = connector.connect(timeouts.connect).await?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| Error::ConnectionTerminated)?;
    let mut connection = Some(connection);
    let mut sending = std::pin::pin!(sender.send_request(request));
    let receive = std::future::poll_fn(|context| {
        let mut failure = None;
        if let Some(open) = &mut connection
            && let Poll::Ready(ended) = Pin::new(open).poll(context)
        {
            connection = None;
            failure = ended.err();
        }
        // Many servers close connections carelessly, but only after the response.
        match (sending.as_mut().poll(context), failure) {
            (Poll::Pending, Some(error)) => Poll::Ready(Err(error)),
            (polled, _) => polled,
        }
    });
    let response = match timeout(timeouts.first_byte, receive).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            warn!("an outgoing request to {origin} failed: {}", reason(&error));
            return Err(http_error(&error));
        }
        Err(_) => {
            warn!("an outgoing request to {origin} failed: no response within {:?}", timeouts.first_byte);
            return Err(Error::HttpResponseTimeout);
        }
    };
    let response =
        response.map(|body| ResponseBody::new(body, timeouts.between_bytes, end, origin.clone()).boxed_unsync());
    Ok((response, connection))
}

/// The error with its cause, which has what is wrong.
fn reason(error: &hyper::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// The error of `wasi:http` for one of hyper.
fn http_error(error: &hyper::Error) -> Error {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    match cause {
        Some(Error::HttpRequestBodySize(size)) => Error::HttpRequestBodySize(*size),
        // The guest has dropped the body, or sent another length than it said.
        Some(_) => Error::InternalError(Some("the body of the request failed".to_owned())),
        None if error.is_parse_too_large() => Error::HttpResponseHeaderSectionSize(u32::try_from(MAX_HEAD_BYTES).ok()),
        None if error.is_parse() => Error::HttpProtocolError,
        None if error.is_incomplete_message() => Error::HttpResponseIncomplete,
        None if error.is_user() => Error::HttpProtocolError,
        None => Error::ConnectionTerminated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_get_the_path_and_query_only() {
        for (uri, target) in [
            ("http://a.example/b?c", "/b?c"),
            ("http://a.example", "/"),
            ("http://a.example?c", "/?c"),
            ("http://a.example/http://b.example/", "/http://b.example/"),
        ] {
            assert_eq!(request_target(&uri.parse().unwrap()).unwrap().to_string(), target, "{uri}");
        }
    }
}
