//! A response under way: it belongs to the generation that began it, and ends with that at the latest.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use tracing::warn;

use super::generation::InFlightRequest;
use super::generations::Generations;
use super::multipart::ClosingDelimiter;
use crate::channels::Joined;
use crate::chunks::Chunks;
use crate::sandbox::{CallError, GuestBody, Phase, ResponseAborted};

/// How many more pieces a guest may send when its generation has ended. It is given no more frames then, so one that
/// streams soon waits, and is ended at that moment, between two parts. Beyond are guests that send something else
/// for ever, which are cut off.
const LAST_PIECES: u32 = 256;

/// The body of a response.
pub enum Served {
    /// The guest is writing it. Boxed, since it is much larger than the other.
    Own(Box<ServedBody>),
    /// A channel is. It belongs to no generation: the next one's publisher takes it over.
    Shared(Joined),
}

impl Served {
    /// Whether the response goes on until somebody ends it.
    pub fn is_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_endless,
            Self::Shared(_) => true,
        }
    }
}

/// The body of a response that the guest is writing. When its generation ends, it does: a stream after a whole part and
/// with its closing delimiter, so that clients see a proper end and come back; anything else by breaking off, since it
/// would look whole.
pub struct ServedBody {
    body: GuestBody,
    visit: InFlightRequest,
    generations: Generations,
    /// Names the request in the log: `GET /video_feed`.
    label: String,
    /// Whether it is of a kind that has no end of its own, so that it may end anywhere between two pieces.
    is_endless: bool,
    /// What a multipart stream ends with.
    closing: Option<ClosingDelimiter>,
    /// Done when the generation has ended; none after that.
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pieces_left: u32,
    over: bool,
}

impl ServedBody {
    pub(super) fn new(
        body: GuestBody,
        headers: &HeaderMap,
        visit: InFlightRequest,
        generations: Generations,
        label: String,
    ) -> Self {
        let end = Box::pin(visit.generation().lifecycle.clone().reaches(Phase::Ended));
        let is_endless = is_endless(headers);
        let closing = ClosingDelimiter::of(headers);
        Self {
            body,
            visit,
            generations,
            label,
            is_endless,
            closing,
            end: Some(end),
            pieces_left: LAST_PIECES,
            over: false,
        }
    }

    /// What a client is given at the end of the generation: a proper end, or one that shows that something is missing.
    fn last(&mut self, properly: bool) -> Poll<Option<Result<Frame<Chunks>, ResponseAborted>>> {
        self.over = true;
        if !properly {
            return Poll::Ready(Some(Err(ResponseAborted(CallError::Replaced))));
        }
        let closing = self.closing.as_ref().and_then(ClosingDelimiter::bytes);
        Poll::Ready(closing.map(|closing| Ok(Frame::data(closing.into()))))
    }

    /// Whether the generation has ended. If not, the task is woken when it does.
    fn has_ended(&mut self, context: &mut Context<'_>) -> bool {
        if self.end.as_mut().is_some_and(|end| end.as_mut().poll(context).is_ready()) {
            self.end = None;
        }
        self.end.is_none()
    }
}

/// Whether a response is one of those that go on until somebody ends them: multipart streams, and server-sent events.
fn is_endless(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default().to_ascii_lowercase();
    content_type.starts_with(b"multipart/") || content_type.starts_with(b"text/event-stream")
}

impl Body for ServedBody {
    type Data = Chunks;
    type Error = ResponseAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunks>, ResponseAborted>>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if let (Some(closing), Poll::Ready(Some(Ok(frame)))) = (&mut this.closing, &polled) {
            frame.data_ref().into_iter().flat_map(Chunks::iter).for_each(|bytes| closing.observe(bytes));
        }
        match &polled {
            Poll::Pending => {
                if this.has_ended(context) && this.body.is_waiting() {
                    return this.last(this.is_endless);
                }
            }
            Poll::Ready(Some(Ok(_))) if *this.visit.generation().lifecycle.phase.borrow() == Phase::Ended => {
                if this.pieces_left == 0 {
                    return this.last(false);
                }
                this.pieces_left -= 1;
            }
            Poll::Ready(Some(Err(broken_off))) => {
                warn!(request = this.label.as_str(), "{broken_off}");
                this.generations.note_failure(&this.visit, &broken_off.0);
            }
            Poll::Ready(_) => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
