//! The body of a response that a shared instance writes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;

use super::mailbox::LiveRequest;
use super::pipe::{Item, Output, Pipe};
use crate::buf_list::BufList;
use crate::sandbox::call::error::{CallError, ResponseAborted};
use crate::sandbox::call::request_body::BodyMonitor;

/// The body of a response that a shared instance writes. Dropping it closes the guest's stream; the instance continues.
pub struct SharedBody {
    pipe: Arc<Pipe>,
    request: LiveRequest,
    /// Observes the request body, which the guest may still be reading.
    request_body: BodyMonitor,
    /// The length that the head of the response promises.
    length: Option<u64>,
    sent: u64,
    has_ended: bool,
    /// Tells the guest whether the client was sent everything. Taken at the end.
    transmitted: Option<oneshot::Sender<Result<(), ErrorCode>>>,
}

impl SharedBody {
    pub(super) fn new(output: Output, headers: &HeaderMap, request: LiveRequest, request_body: BodyMonitor) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let Output { pipe, transmitted } = output;
        let transmitted = Some(transmitted);
        Self { pipe, request, request_body, length, sent: 0, has_ended: false, transmitted }
    }

    /// Whether the guest has sent everything it has written and waits for something. If it computes instead, wakes the
    /// task when it waits.
    pub(crate) fn is_waiting(&self, context: &Context<'_>) -> bool {
        self.request.mailbox().is_waiting(context, || self.pipe.is_empty())
    }

    /// Ends the body with this error, or properly if there is none. A failure of the client precedes what the guest
    /// made of it.
    fn end(&mut self, error: Option<CallError>) -> Option<Result<Frame<BufList>, ResponseAborted>> {
        self.has_ended = true;
        let error = error.map(|error| self.request_body.error().unwrap_or(error));
        self.report(if error.is_some() { Err(ErrorCode::ConnectionTerminated) } else { Ok(()) });
        error.map(|error| Err(ResponseAborted(error)))
    }

    fn report(&mut self, result: Result<(), ErrorCode>) {
        if let Some(transmitted) = self.transmitted.take() {
            // Fails if the guest does not want to know.
            let _ = transmitted.send(result);
        }
    }

    fn is_complete(&self) -> bool {
        self.length.is_none_or(|length| length == self.sent)
    }
}

impl Body for SharedBody {
    type Data = BufList;
    type Error = ResponseAborted;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<BufList>, ResponseAborted>>> {
        let this = self.get_mut();
        if this.has_ended {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(this.pipe.poll_next(context)) {
            Item::Chunk(bytes) => {
                this.sent += bytes.len() as u64;
                Some(Ok(Frame::data(bytes.into())))
            }
            Item::Finished(_) if !this.is_complete() => this.end(Some(CallError::Unfinished)),
            Item::Finished(trailers) => {
                this.end(None);
                trailers.map(|trailers| Ok(Frame::trailers(trailers)))
            }
            Item::Failed(error) => this.end(Some(error)),
            Item::Dropped => {
                let failure = this.request.mailbox().failure();
                this.end(Some(failure.unwrap_or(CallError::Unfinished)))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(|length| SizeHint::with_exact(length.saturating_sub(self.sent))).unwrap_or_default()
    }
}

impl Drop for SharedBody {
    fn drop(&mut self) {
        // hyper does not read on when it has sent as many bytes as the head promises.
        let is_complete = self.length.is_some() && self.is_complete();
        self.report(if is_complete { Ok(()) } else { Err(ErrorCode::ConnectionTerminated) });
        self.pipe.abandon();
    }
}
