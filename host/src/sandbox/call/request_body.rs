//! The body of a request, with limits on slow clients. If the client stops sending, the host ends the call, and that
//! does not count against the guest.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi_http::Error as HttpError;

use super::error::CallError;

/// How slowly a client may send a body. Only time spent waiting for the client counts, so a slow reader costs the
/// client nothing.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// The longest wait for the next bytes, and the longest time by which the client may fall behind the minimum rate
    /// in total.
    pub idle_timeout: Duration,
    /// The minimum rate, in bytes per second, at least 1.
    pub min_rate: u32,
}

/// The limits on clients of guests. They resemble the defaults of other servers; no working connection is slower.
pub(super) const GUEST_BODY_LIMITS: BodyLimits = BodyLimits { idle_timeout: Duration::from_secs(10), min_rate: 500 };

/// How a client failed to send a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyError {
    /// It exceeded the [`BodyLimits`].
    TimedOut,
    /// It disconnected, or sent malformed chunks.
    Aborted,
}

/// Observes a request body while a guest reads it. Clones share their state.
#[derive(Clone, Default)]
pub(in crate::sandbox) struct BodyMonitor(Arc<Mutex<Progress>>);

#[derive(Default)]
struct Progress {
    /// The total time spent waiting for the client, without the current wait.
    waited: Duration,
    waiting_since: Option<Instant>,
    error: Option<BodyError>,
    /// Woken when the client has failed.
    waker: Option<Waker>,
}

impl BodyMonitor {
    /// The error, if the client failed to send the body.
    pub(in crate::sandbox) fn error(&self) -> Option<CallError> {
        self.progress().error.map(|error| match error {
            BodyError::TimedOut => CallError::RequestBodyTimedOut,
            BodyError::Aborted => CallError::RequestBodyAborted,
        })
    }

    /// The error, if the client failed to send the body. If not, wakes the task when it does.
    pub(in crate::sandbox) fn poll_error(&self, context: &Context<'_>) -> Option<CallError> {
        self.progress().waker = Some(context.waker().clone());
        self.error()
    }

    /// The total time spent waiting for the client.
    pub(super) fn waited(&self) -> Duration {
        let progress = self.progress();
        // The guest may have stopped reading, so that the timeout of the wait does not apply any more.
        let limit = GUEST_BODY_LIMITS.idle_timeout;
        progress.waited + progress.waiting_since.map(|since| since.elapsed().min(limit)).unwrap_or_default()
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // No panic can leave the data inconsistent, so a poisoned lock is safe to use.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of a request. Fails if the client exceeds the limits.
pub struct RequestBody<B> {
    body: B,
    limits: BodyLimits,
    monitor: BodyMonitor,
    /// How much longer to wait for the client. Every byte received adds to it.
    wait_budget: Duration,
    /// Expires at the end of the current wait. Reused, and meaningless between waits.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> RequestBody<B> {
    /// Applies limits to a body.
    pub fn new(body: B, limits: BodyLimits) -> Self {
        Self { body, limits, monitor: BodyMonitor::default(), wait_budget: limits.idle_timeout, timer: None }
    }

    /// How the client failed to send this body, if it did.
    pub fn error(&self) -> Option<BodyError> {
        self.monitor.progress().error
    }

    pub(super) fn monitor(&self) -> BodyMonitor {
        self.monitor.clone()
    }

    /// Ends the current wait, if any, and credits the bytes received.
    fn end_wait(&mut self, received: usize) {
        let mut progress = self.monitor.progress();
        if let Some(since) = progress.waiting_since.take() {
            let waited = since.elapsed().min(self.limits.idle_timeout);
            progress.waited += waited;
            self.wait_budget = self.wait_budget.saturating_sub(waited);
        }
        let earned = Duration::from_secs_f64(received as f64 / f64::from(self.limits.min_rate.max(1)));
        self.wait_budget = self.wait_budget.saturating_add(earned);
    }

    fn fail(&mut self, error: BodyError) -> HttpError {
        self.end_wait(0);
        let waker = {
            let mut progress = self.monitor.progress();
            progress.error = Some(error);
            progress.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
        match error {
            BodyError::TimedOut => HttpError::ConnectionReadTimeout,
            BodyError::Aborted => HttpError::HttpProtocolError,
        }
    }

    /// Begins a wait, if none is in progress. Returns whether the client has exceeded the limits; if not, the task is
    /// woken when it does.
    fn is_overdue(&mut self, context: &mut Context<'_>) -> bool {
        let now = Instant::now();
        let is_new_wait = {
            let mut progress = self.monitor.progress();
            let is_new_wait = progress.waiting_since.is_none();
            progress.waiting_since.get_or_insert(now);
            is_new_wait
        };
        let deadline = now + self.wait_budget.min(self.limits.idle_timeout);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if is_new_wait {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(context).is_ready()
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                this.end_wait(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(this.fail(BodyError::Aborted)))),
            Poll::Ready(None) => {
                this.end_wait(0);
                Poll::Ready(None)
            }
            Poll::Pending if this.is_overdue(context) => Poll::Ready(Some(Err(this.fail(BodyError::TimedOut)))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::sync::mpsc;
    use tokio::time::sleep;

    use super::*;

    type Piece = Result<Frame<Bytes>, std::io::Error>;

    /// A body whose pieces the test sends.
    fn body(limits: BodyLimits) -> (mpsc::UnboundedSender<Piece>, RequestBody<impl Body<Data = Bytes> + Unpin>) {
        let (sender, mut receiver) = mpsc::unbounded_channel::<Piece>();
        let pieces = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
        (sender, RequestBody::new(StreamBody::new(pieces), limits))
    }

    fn piece(length: usize) -> Piece {
        Ok(Frame::data(Bytes::from(vec![0; length])))
    }

    // These tests also pass on slow machines.

    #[tokio::test]
    async fn a_client_that_sends_nothing_times_out() {
        let limits = BodyLimits { idle_timeout: Duration::from_millis(50), min_rate: 1 };
        let (_sender, mut body) = body(limits);
        let started = Instant::now();
        assert!(body.frame().await.unwrap().is_err());
        assert!(started.elapsed() >= limits.idle_timeout && body.monitor().waited() >= limits.idle_timeout);
        assert_eq!(body.error(), Some(BodyError::TimedOut));
        assert!(matches!(body.monitor().error(), Some(CallError::RequestBodyTimedOut)));
    }

    #[tokio::test]
    async fn a_client_below_the_minimum_rate_times_out_although_it_never_pauses_for_long() {
        let (sender, mut body) = body(BodyLimits { idle_timeout: Duration::from_millis(200), min_rate: 1_000_000 });
        tokio::spawn(async move {
            while sender.send(piece(1)).is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        });
        while let Some(Ok(_)) = body.frame().await {}
        assert_eq!(body.error(), Some(BodyError::TimedOut));
    }

    #[tokio::test]
    async fn a_client_above_the_minimum_rate_may_take_longer_than_the_idle_timeout() {
        let (sender, mut body) = body(BodyLimits { idle_timeout: Duration::from_secs(2), min_rate: 1 });
        tokio::spawn(async move {
            for _ in 0..30 {
                sleep(Duration::from_millis(100)).await;
                sender.send(piece(10)).unwrap();
            }
        });
        while let Some(frame) = body.frame().await {
            assert!(frame.is_ok());
        }
        assert!(body.monitor().waited() > Duration::from_secs(2));
        assert_eq!(body.error(), None);
    }

    #[tokio::test]
    async fn only_time_spent_waiting_for_the_client_counts() {
        let (sender, mut body) = body(BodyLimits { idle_timeout: Duration::from_millis(50), min_rate: 1_000_000 });
        for _ in 0..5 {
            sender.send(piece(1)).unwrap();
            assert!(body.frame().await.unwrap().is_ok());
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(body.monitor().waited(), Duration::ZERO);
        drop(sender);
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_client_that_disconnects_is_distinguished_from_a_slow_one() {
        let (sender, mut body) = body(GUEST_BODY_LIMITS);
        sender.send(Err(std::io::ErrorKind::ConnectionReset.into())).unwrap();
        assert!(body.frame().await.unwrap().is_err());
        assert_eq!(body.error(), Some(BodyError::Aborted));
    }
}
