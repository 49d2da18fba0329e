//! Response bodies. A body that the guest writes ends with its generation at the latest.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};
use tracing::warn;

use super::deployment::Deployment;
use super::generation::InFlightRequest;
use super::multipart::ClosingDelimiter;
use crate::buf_list::BufList;
use crate::channels::Subscription;
use crate::sandbox::{COMPUTE_LIMIT, CallError, GuestBody, Phase, ResponseAborted};

/// How many more pieces a guest may send after its generation has ended. It receives no more frames then, so a stream
/// soon waits for one, and is ended at that moment, between two parts. A guest that sends more than this never waits,
/// and is cut off.
const LAST_PIECES: u32 = 256;

/// How long a guest may go on without waiting after its generation has ended, before it is cut off. Longer than the
/// compute limit, which stops most of such guests.
const LAST_TIME: Duration = Duration::from_secs(5);
const _: () = assert!(LAST_TIME.as_millis() > COMPUTE_LIMIT.as_millis());

/// The body of a response.
pub enum ServedBody {
    /// The guest writes it. Boxed because it is much larger than the other variant.
    Guest(Box<DrainableBody>),
    /// A channel writes it. It survives a replacement: the next guest's publisher takes over the channel.
    Channel(Subscription),
}

impl ServedBody {
    /// Whether the response is a stream, which continues until the client or the host ends it.
    pub fn is_stream(&self) -> bool {
        match self {
            Self::Guest(body) => body.is_endless,
            Self::Channel(_) => true,
        }
    }
}

/// A response body that the guest writes. It ends when its generation does: a stream after a whole part and with its
/// closing delimiter, so that clients see a proper end and reconnect; any other body with an error, so that it does not
/// look complete. A stream also ends when a camera is removed that its guest reads.
pub struct DrainableBody {
    body: GuestBody,
    request: InFlightRequest,
    deployment: Arc<Deployment>,
    /// Names the request in the log: `GET /video_feed`.
    label: String,
    /// Whether this is a stream, which may end between any two pieces.
    is_endless: bool,
    /// What a multipart stream must end with.
    closing: Option<ClosingDelimiter>,
    /// Resolves when the generation ends; `None` after that.
    generation_end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// How many of [`LAST_PIECES`] are left.
    pieces_left: u32,
    /// Expires after [`LAST_TIME`].
    cutoff: Option<Pin<Box<Sleep>>>,
    is_done: bool,
}

impl DrainableBody {
    pub(super) fn new(
        body: GuestBody,
        headers: &HeaderMap,
        request: InFlightRequest,
        deployment: Arc<Deployment>,
        label: String,
    ) -> Self {
        let generation_end = Box::pin(request.generation().lifecycle.clone().reaches(Phase::Ended));
        Self {
            body,
            request,
            deployment,
            label,
            is_endless: is_endless(headers),
            closing: ClosingDelimiter::for_response(headers),
            generation_end: Some(generation_end),
            pieces_left: LAST_PIECES,
            cutoff: None,
            is_done: false,
        }
    }

    /// Ends the body properly.
    fn end(&mut self) -> Poll<Option<Result<Frame<BufList>, ResponseAborted>>> {
        self.is_done = true;
        let closing = self.closing.as_ref().and_then(ClosingDelimiter::bytes);
        Poll::Ready(closing.map(|closing| Ok(Frame::data(closing.into()))))
    }

    /// Ends the body with an error that shows the client that something is missing.
    fn cut_off(&mut self) -> Poll<Option<Result<Frame<BufList>, ResponseAborted>>> {
        self.is_done = true;
        let reason = if self.has_generation_ended() { CallError::Replaced } else { CallError::CameraRemoved };
        Poll::Ready(Some(Err(ResponseAborted(reason))))
    }

    fn has_generation_ended(&self) -> bool {
        *self.request.generation().lifecycle.phase.borrow() == Phase::Ended
    }

    /// Whether this is a stream of a camera that was removed. Other bodies continue without its frames.
    fn is_camera_removed(&self) -> bool {
        self.is_endless && self.body.is_camera_removed()
    }

    /// Whether the generation has ended. If not, wakes the task when it does.
    fn poll_generation_end(&mut self, context: &mut Context<'_>) -> bool {
        if self.generation_end.as_mut().is_some_and(|end| end.as_mut().poll(context).is_ready()) {
            self.generation_end = None;
        }
        self.generation_end.is_none()
    }
}

/// Whether the content type is that of a stream: multipart, or server-sent events.
fn is_endless(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default().to_ascii_lowercase();
    content_type.starts_with(b"multipart/") || content_type.starts_with(b"text/event-stream")
}

impl Body for DrainableBody {
    type Data = BufList;
    type Error = ResponseAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<BufList>, ResponseAborted>>> {
        let this = &mut *self;
        if this.is_done {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if let (Some(closing), Poll::Ready(Some(Ok(frame)))) = (&mut this.closing, &polled) {
            frame.data_ref().into_iter().flat_map(BufList::iter).for_each(|bytes| closing.observe(bytes));
        }
        match &polled {
            Poll::Pending => {
                if this.poll_generation_end(context) || this.is_camera_removed() {
                    if this.body.is_waiting(context) {
                        return if this.is_endless { this.end() } else { this.cut_off() };
                    }
                    let cutoff = this.cutoff.get_or_insert_with(|| Box::pin(sleep(LAST_TIME)));
                    if cutoff.as_mut().poll(context).is_ready() {
                        return this.cut_off();
                    }
                }
            }
            Poll::Ready(Some(Ok(_))) if this.has_generation_ended() || this.is_camera_removed() => {
                if this.pieces_left == 0 {
                    return this.cut_off();
                }
                this.pieces_left -= 1;
            }
            Poll::Ready(Some(Err(aborted))) => {
                warn!(request = this.label.as_str(), "{aborted}");
                this.deployment.record_failure(&this.request, &aborted.0);
            }
            Poll::Ready(_) => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.is_done || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
