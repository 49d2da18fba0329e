//! The body of a request, as a guest reads it. A client that stops sending is the host's to deal with: the guest is ended,
//! and nobody takes that for a failure of the guest's.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi_http::Error as HttpError;

use super::error::CallError;

/// How slowly a client may send a body. Only the time in which somebody waits for the client counts, so a guest that takes
/// its time over what it has read costs the client nothing.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// How long it may take for the next piece, and how long it may fall behind the minimum rate in all.
    pub idle: Duration,
    /// The minimum rate, in bytes per second, at least 1.
    pub rate: u32,
}

/// What a guest's clients may do. Like the usual limits of other servers: nobody who is connected at all is slower.
pub const GUEST_LIMITS: BodyLimits = BodyLimits { idle: Duration::from_secs(10), rate: 500 };

/// How a client failed to send a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyFault {
    /// It sent nothing for too long, or too little.
    TimedOut,
    /// It left, or what it sent is not HTTP.
    BrokenOff,
}

/// What is known of a body that a guest is reading. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct BodyWatch(Arc<Mutex<Progress>>);

#[derive(Default)]
struct Progress {
    /// For how long the client has been waited for, without the wait under way.
    waited: Duration,
    waiting_since: Option<Instant>,
    fault: Option<BodyFault>,
}

impl BodyWatch {
    /// The client's fault, if it failed to send the body.
    pub(super) fn failure(&self) -> Option<CallError> {
        self.progress().fault.map(|fault| match fault {
            BodyFault::TimedOut => CallError::BodyTimedOut,
            BodyFault::BrokenOff => CallError::BodyBrokenOff,
        })
    }

    /// For how long the client has been waited for, in all.
    pub(super) fn waited(&self) -> Duration {
        let progress = self.progress();
        progress.waited + progress.waiting_since.map(|since| since.elapsed()).unwrap_or_default()
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // Nothing that is done under the lock can leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of a request, which ends with an error when its client falls behind the limits.
pub struct RequestBody<B> {
    body: B,
    limits: BodyLimits,
    watch: BodyWatch,
    /// What is left of the time that the client may be waited for.
    budget: Duration,
    /// Done when the wait under way is over. Kept between waits, and then without meaning.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<B> RequestBody<B> {
    /// Hold the client that sends this body to these limits.
    pub fn new(body: B, limits: BodyLimits) -> Self {
        Self { body, limits, watch: BodyWatch::default(), budget: limits.idle, deadline: None }
    }

    /// How the client failed to send this body, if it did.
    pub fn fault(&self) -> Option<BodyFault> {
        self.watch.progress().fault
    }

    pub(super) fn watch(&self) -> BodyWatch {
        self.watch.clone()
    }

    /// The client has sent something, or ended, or failed: the wait for it is over.
    fn end_wait(&mut self, received: usize) {
        let mut progress = self.watch.progress();
        if let Some(since) = progress.waiting_since.take() {
            let waited = since.elapsed();
            progress.waited += waited;
            self.budget = self.budget.saturating_sub(waited);
        }
        let earned = Duration::from_secs_f64(received as f64 / f64::from(self.limits.rate.max(1)));
        self.budget = self.budget.saturating_add(earned);
    }

    fn fail(&mut self, fault: BodyFault) -> HttpError {
        self.end_wait(0);
        self.watch.progress().fault = Some(fault);
        match fault {
            BodyFault::TimedOut => HttpError::ConnectionReadTimeout,
            BodyFault::BrokenOff => HttpError::HttpProtocolError,
        }
    }

    /// Whether the client has been waited for too long. If not, the task is woken when it has.
    fn is_overdue(&mut self, context: &mut Context<'_>) -> bool {
        let now = Instant::now();
        let is_new = {
            let mut progress = self.watch.progress();
            let is_new = progress.waiting_since.is_none();
            progress.waiting_since.get_or_insert(now);
            is_new
        };
        let until = now + self.budget.min(self.limits.idle);
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if is_new {
            deadline.as_mut().reset(until);
        }
        deadline.as_mut().poll(context).is_ready()
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
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(this.fail(BodyFault::BrokenOff)))),
            Poll::Ready(None) => {
                this.end_wait(0);
                Poll::Ready(None)
            }
            Poll::Pending if this.is_overdue(context) => Poll::Ready(Some(Err(this.fail(BodyFault::TimedOut)))),
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

    /// A body that a test sends piece by piece.
    fn body(limits: BodyLimits) -> (mpsc::UnboundedSender<Piece>, RequestBody<impl Body<Data = Bytes> + Unpin>) {
        let (sender, mut receiver) = mpsc::unbounded_channel::<Piece>();
        let pieces = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
        (sender, RequestBody::new(StreamBody::new(pieces), limits))
    }

    fn piece(length: usize) -> Piece {
        Ok(Frame::data(Bytes::from(vec![0; length])))
    }

    // None of these can fail because the machine is slow.

    #[tokio::test]
    async fn a_client_that_sends_nothing_times_out() {
        let limits = BodyLimits { idle: Duration::from_millis(50), rate: 1 };
        let (_sender, mut body) = body(limits);
        let begun = Instant::now();
        assert!(body.frame().await.unwrap().is_err());
        assert!(begun.elapsed() >= limits.idle && body.watch().waited() >= limits.idle);
        assert_eq!(body.fault(), Some(BodyFault::TimedOut));
        assert!(matches!(body.watch().failure(), Some(CallError::BodyTimedOut)));
    }

    #[tokio::test]
    async fn a_client_that_drips_times_out_though_it_is_never_idle_for_long() {
        let (sender, mut body) = body(BodyLimits { idle: Duration::from_millis(200), rate: 1_000_000 });
        tokio::spawn(async move {
            while sender.send(piece(1)).is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        });
        while let Some(Ok(_)) = body.frame().await {}
        assert_eq!(body.fault(), Some(BodyFault::TimedOut));
    }

    #[tokio::test]
    async fn a_client_that_keeps_the_rate_may_take_longer_than_the_idle_limit() {
        let (sender, mut body) = body(BodyLimits { idle: Duration::from_secs(2), rate: 1 });
        tokio::spawn(async move {
            for _ in 0..30 {
                sleep(Duration::from_millis(100)).await;
                sender.send(piece(10)).unwrap();
            }
        });
        while let Some(frame) = body.frame().await {
            assert!(frame.is_ok());
        }
        assert!(body.watch().waited() > Duration::from_secs(2));
        assert_eq!(body.fault(), None);
    }

    #[tokio::test]
    async fn time_in_which_nobody_waits_for_the_client_does_not_count() {
        let (sender, mut body) = body(BodyLimits { idle: Duration::from_millis(50), rate: 1_000_000 });
        for _ in 0..5 {
            sender.send(piece(1)).unwrap();
            assert!(body.frame().await.unwrap().is_ok());
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(body.watch().waited(), Duration::ZERO);
        drop(sender);
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_told_from_one_that_is_slow() {
        let (sender, mut body) = body(GUEST_LIMITS);
        sender.send(Err(std::io::ErrorKind::ConnectionReset.into())).unwrap();
        assert!(body.frame().await.unwrap().is_err());
        assert_eq!(body.fault(), Some(BodyFault::BrokenOff));
    }
}
