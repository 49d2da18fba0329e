//! The body of a guest's response. It owns the instance that writes it, and runs it when more is wanted.
//!
//! hyper asks a body for more when the socket has taken what came before. Only then is the guest run, so it
//! looks for the newest frame when the viewer can take one, and a slow viewer skips frames without any
//! queue. There is no task beside the connection's, and dropping the body ends the guest.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Buf as _;
use http_body::{Body, Frame, SizeHint};
use tokio::task::coop::unconstrained;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::error::CallError;
use super::idle_instances::{IdleInstance, IdleInstances};
use super::request_body::BodyWatch;
use super::running::Running;
use crate::chunks::Chunks;

/// The body of a guest's response.
pub struct GuestBody {
    state: State,
    /// What the guest has written and finished. It is given no waker: it changes only when the guest is run,
    /// and nobody else runs it.
    written: HyperOutgoingBody,
    /// How what was written ended, kept until all of it is given.
    end: Option<End>,
    /// Where the instance goes when it has written a whole body.
    idle_instances: Arc<IdleInstances>,
    /// The body of the request, which the guest may still be reading.
    request_body: BodyWatch,
    /// Whether the guest was run since the task was scheduled. hyper polls on for as long as the socket takes bytes; a long
    /// response would compute for many milliseconds while a hundred short ones wait. So each runs once, and then the next
    /// does.
    has_run: bool,
}

enum State {
    /// The guest is at work. Boxed, since it is much larger than the others.
    Running(Box<Running<IdleInstance>>),
    /// The guest has returned, and all that it wrote may be sent. Its instance, if nobody has it yet.
    Returned(Option<Box<IdleInstance>>),
    /// The guest was ended, for this reason; what it wrote before may be sent, and then the body breaks off.
    Failed(CallError),
    /// All has been given.
    Ended,
}

/// The body broke off, since the guest failed in this way. The client sees a response that is cut off.
#[derive(Debug, thiserror::Error)]
#[error("ended in mid-answer: {0}")]
pub struct BrokenOff(pub CallError);

impl GuestBody {
    pub(super) fn new(
        mut running: Running<IdleInstance>,
        written: HyperOutgoingBody,
        idle_instances: Arc<IdleInstances>,
        request_body: BodyWatch,
    ) -> Self {
        let state = match running.take_output() {
            Some(idle_instance) => State::Returned(Some(Box::new(idle_instance))),
            None => State::Running(Box::new(running)),
        };
        Self { state, written, end: None, idle_instances, request_body, has_run: false }
    }

    /// Whether the guest waits for something, after all that it wrote was given: for a stream, between two parts.
    /// It does not where it was interrupted while it computed, which may be in the middle of one.
    pub fn is_at_rest(&self) -> bool {
        matches!(&self.state, State::Running(running) if running.waits())
    }

    /// Whether it is the turn of other tasks, which run before this one is polled again. Not where the guest waits anyway.
    fn must_yield(&mut self, context: &Context<'_>) -> bool {
        let State::Running(running) = &self.state else { return false };
        let must_yield = self.has_run && !running.waits();
        if must_yield {
            self.has_run = false;
            context.waker().wake_by_ref();
        }
        must_yield
    }

    /// Run the guest until it waits for something.
    fn run(&mut self, context: &mut Context<'_>) {
        let State::Running(running) = &mut self.state else { return };
        let failure = match running.poll(context) {
            Poll::Ready(Ok(())) => {
                self.state = State::Returned(running.take_output().map(Box::new));
                return;
            }
            Poll::Ready(Err(error)) => error,
            Poll::Pending if running.spins() => CallError::Spun,
            Poll::Pending => return,
        };
        self.state = State::Failed(failure);
    }

    /// Take all that has been written so far, and how it ended if it did. If that is a whole body, the instance goes to the
    /// spares: before the client has the end, who may ask again at once.
    fn take(&mut self) -> Chunks {
        let mut chunks = Chunks::default();
        let mut context = Context::from_waker(Waker::noop());
        while self.end.is_none() {
            // Not counted against the task's budget: with none left the channel would say that it is empty
            // when it is not, and ask for a wake-up that goes nowhere.
            let written = unconstrained(poll_fn(|context| Pin::new(&mut self.written).poll_frame(context)));
            match pin!(written).poll(&mut context) {
                Poll::Pending => break,
                Poll::Ready(None) => self.end = Some(End::Finished(None)),
                Poll::Ready(Some(Err(_))) => self.end = Some(End::Aborted),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(chunk) => chunks.push(chunk),
                    Err(frame) => self.end = Some(End::Finished(frame.into_trailers().ok())),
                },
            }
        }
        if let (State::Returned(idle_instance), Some(End::Finished(_))) = (&mut self.state, &self.end)
            && let Some(idle_instance) = idle_instance.take()
        {
            self.idle_instances.put(*idle_instance);
        }
        chunks
    }

    /// The guest failed in this way: for want of the request's body, if its client failed to send that.
    fn broken_off(&self, failure: CallError) -> BrokenOff {
        BrokenOff(self.request_body.failure().unwrap_or(failure))
    }

    /// What to give for what was taken; none if there is nothing, and more may come.
    fn give(&mut self, chunks: Chunks) -> Option<Given> {
        if chunks.has_remaining() {
            return Some(Poll::Ready(Some(Ok(Frame::data(chunks)))));
        }
        let end = self.end.take()?;
        let last = match (std::mem::replace(&mut self.state, State::Ended), end) {
            (State::Failed(failure), _) => Some(Err(self.broken_off(failure))),
            (_, End::Finished(trailers)) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            (_, End::Aborted) => Some(Err(self.broken_off(CallError::Unfinished))),
        };
        Some(Poll::Ready(last))
    }
}

/// What a body gives when it is asked for more.
type Given = Poll<Option<Result<Frame<Chunks>, BrokenOff>>>;

/// How a guest's output ended.
enum End {
    Finished(Option<http::HeaderMap>),
    Aborted,
}

impl Body for GuestBody {
    type Data = Chunks;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Given {
        if matches!(self.state, State::Ended) {
            return Poll::Ready(None);
        }
        let chunks = self.take();
        if let Some(given) = self.give(chunks) {
            return given;
        }
        if self.must_yield(context) {
            return Poll::Pending;
        }
        self.run(context);
        let chunks = self.take();
        let given = self.give(chunks);
        self.has_run = given.is_some();
        given.unwrap_or(Poll::Pending)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        self.written.size_hint()
    }
}
