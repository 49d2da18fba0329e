//! The body of a response that an instance of its own writes. It owns the instance, and runs it when hyper polls for
//! more.
//!
//! hyper polls a body when the socket has accepted everything before. Only then does the guest run. So it takes the
//! newest frame at the moment when the viewer can receive it, and a slow viewer skips frames without any queue. There
//! is no task besides that of the connection, and dropping the body ends the guest.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Buf as _;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::task::coop::unconstrained;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::error::{CallError, ResponseAborted};
use super::idle_instances::{IdleInstance, IdleInstances};
use super::request_body::BodyMonitor;
use super::running_call::RunningCall;
use crate::buf_list::BufList;

/// The body of a response that an instance of its own writes.
pub struct ExclusiveBody {
    state: State,
    /// What the guest has written and this body has not returned yet. Polled without a waker, since it changes only
    /// when the guest runs, and only this body runs the guest.
    output: HyperOutgoingBody,
    /// What was taken from the output and not returned yet.
    chunks: BufList,
    /// How the output ended. Taken when all data before it was returned.
    output_end: Option<OutputEnd>,
    /// Where the instance goes after a complete body.
    idle_instances: Arc<IdleInstances>,
    /// Observes the request body, which the guest may still be reading.
    request_body: BodyMonitor,
    /// Whether the guest has run since this task was last scheduled. hyper polls again while the socket accepts data,
    /// so a long response could compute for many milliseconds while a hundred short ones wait. The task therefore
    /// yields after each run.
    has_run: bool,
    /// See `GuestState::camera_removed`.
    camera_removed: Arc<AtomicBool>,
}

enum State {
    /// The guest is running. Boxed, since it is much larger than the other variants.
    Running(Box<RunningCall<IdleInstance>>),
    /// The guest has returned. What it wrote may be sent. Owns the instance until that is added to the idle ones.
    Returned(Option<Box<IdleInstance>>),
    /// The guest has failed. What it wrote before may be sent; then the body fails.
    Failed(CallError),
    /// Everything was returned.
    Ended,
}

/// How the output of a guest ended.
enum OutputEnd {
    Finished(Option<HeaderMap>),
    Aborted,
}

type FramePoll = Poll<Option<Result<Frame<BufList>, ResponseAborted>>>;

impl ExclusiveBody {
    /// Creates the body of a response that the guest has started. Fails with [`CallError::Unfinished`] if the guest has
    /// returned and not finished the body, since nothing of the response has been sent yet.
    pub(super) fn new(
        mut call: RunningCall<IdleInstance>,
        output: HyperOutgoingBody,
        idle_instances: Arc<IdleInstances>,
        request_body: BodyMonitor,
        camera_removed: Arc<AtomicBool>,
    ) -> Result<Self, CallError> {
        let state = match call.take_output() {
            Some(instance) => State::Returned(Some(Box::new(instance))),
            None => State::Running(Box::new(call)),
        };
        let mut body = Self {
            state,
            output,
            chunks: BufList::default(),
            output_end: None,
            idle_instances,
            request_body,
            has_run: false,
            camera_removed,
        };
        body.collect_output();
        match body.state {
            State::Failed(error) => Err(error),
            _ => Ok(body),
        }
    }

    /// Whether the guest waits for something. If the last poll returned `Pending`, everything it wrote has been
    /// returned, so a stream is between two parts. False if the guest was interrupted while it computed, which may be
    /// in the middle of a part.
    pub fn is_waiting(&self) -> bool {
        matches!(&self.state, State::Running(call) if call.is_waiting())
    }

    /// Whether a camera that the guest reads was removed, so that its stream is to end.
    pub fn is_camera_removed(&self) -> bool {
        self.camera_removed.load(Ordering::Relaxed)
    }

    /// Whether to let other tasks run before this one is polled again. If so, wakes this task. A guest that waits
    /// anyway need not yield.
    fn must_yield(&mut self, context: &Context<'_>) -> bool {
        let State::Running(call) = &self.state else { return false };
        let must_yield = self.has_run && !call.is_waiting();
        if must_yield {
            self.has_run = false;
            context.waker().wake_by_ref();
        }
        must_yield
    }

    /// Runs the guest until it waits for something.
    fn run_guest(&mut self, context: &mut Context<'_>) {
        let State::Running(call) = &mut self.state else { return };
        let error = match call.poll(context) {
            Poll::Ready(Ok(())) => {
                self.state = State::Returned(call.take_output().map(Box::new));
                return;
            }
            Poll::Ready(Err(error)) => error,
            Poll::Pending if call.exceeds_compute_limit() => CallError::ComputeLimit,
            Poll::Pending => return,
        };
        self.state = State::Failed(error);
    }

    /// Collects everything the guest has written so far, and notes whether the output ended. A guest must finish the
    /// body before it returns. Whether it still holds the body does not matter then: it fails if the output did not end.
    /// After a complete body, adds the instance to the idle ones. That happens before the client receives the end, since
    /// it may send another request at once.
    fn collect_output(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while self.output_end.is_none() {
            // Without this, Tokio's cooperative budget could run out. The channel would then return `Pending` although
            // it is not empty, and wake the no-op waker.
            let frame = unconstrained(poll_fn(|context| Pin::new(&mut self.output).poll_frame(context)));
            match pin!(frame).poll(&mut context) {
                Poll::Pending => break,
                Poll::Ready(None) => self.output_end = Some(OutputEnd::Finished(None)),
                Poll::Ready(Some(Err(_))) => self.output_end = Some(OutputEnd::Aborted),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(chunk) => self.chunks.push(chunk),
                    Err(frame) => self.output_end = Some(OutputEnd::Finished(frame.into_trailers().ok())),
                },
            }
        }
        if let State::Returned(instance) = &mut self.state {
            match &self.output_end {
                Some(OutputEnd::Finished(_)) => {
                    if let Some(instance) = instance.take() {
                        self.idle_instances.put(*instance);
                    }
                }
                Some(OutputEnd::Aborted) => {}
                None => {
                    self.state = State::Failed(CallError::Unfinished);
                    self.output_end = Some(OutputEnd::Aborted);
                }
            }
        }
    }

    /// The next frame of the body: the collected chunks, or the end. Returns `None` if there is neither, and the guest
    /// may write more.
    fn next_frame(&mut self) -> Option<FramePoll> {
        if self.chunks.has_remaining() {
            let chunks = std::mem::take(&mut self.chunks);
            return Some(Poll::Ready(Some(Ok(Frame::data(chunks)))));
        }
        let end = self.output_end.take()?;
        let last = match (std::mem::replace(&mut self.state, State::Ended), end) {
            (State::Failed(error), _) => Some(Err(self.aborted(error))),
            (_, OutputEnd::Finished(trailers)) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            (_, OutputEnd::Aborted) => Some(Err(self.aborted(CallError::Unfinished))),
        };
        Some(Poll::Ready(last))
    }

    /// The error of this body. If the client failed to send the request body, that is the cause, whatever the guest
    /// did.
    fn aborted(&self, error: CallError) -> ResponseAborted {
        ResponseAborted(self.request_body.error().unwrap_or(error))
    }
}

impl Body for ExclusiveBody {
    type Data = BufList;
    type Error = ResponseAborted;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> FramePoll {
        if matches!(self.state, State::Ended) {
            return Poll::Ready(None);
        }
        self.collect_output();
        if let Some(frame) = self.next_frame() {
            return frame;
        }
        if self.must_yield(context) {
            return Poll::Pending;
        }
        self.run_guest(context);
        self.collect_output();
        let frame = self.next_frame();
        self.has_run = frame.is_some();
        frame.unwrap_or(Poll::Pending)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        self.output.size_hint()
    }
}
