//! A call in progress: polls the guest only when something it waits for has happened, and measures how long it
//! computes.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::task::coop::has_budget_remaining;
use tokio::task::yield_now;

use super::deferral;
use super::error::{COMPUTE_LIMIT, CallError};
use crate::sandbox::store::IGNORED_INTERRUPTIONS;
use crate::sandbox::usage::Usage;

/// The future of a call. It owns the instance.
pub(in crate::sandbox) type CallFuture<T> = Pin<Box<dyn Future<Output = Result<T, CallError>> + Send>>;

/// A call that runs while it is polled, and ends when dropped.
///
/// It runs in the task of a connection. That task is woken for many reasons: the socket is writable, the client sends
/// something. The guest is polled only if its own waker was woken.
pub(in crate::sandbox) struct RunningCall<T> {
    /// `None` after it has returned.
    future: Option<CallFuture<T>>,
    /// The output of the future, until it is taken.
    output: Option<T>,
    guest_waker: Arc<GuestWaker>,
    /// Wakes `guest_waker`. Created once, since the guest is polled for every frame.
    waker: Waker,
    /// How often the guest was interrupted during this poll; see `GuestState`.
    interruptions: Arc<AtomicU32>,
    /// How long the guest has computed without waiting for anything. Zero while it waits.
    busy_time: Duration,
    /// Whether the guest yielded at the end of the last poll in a way that its waker does not see: it had used up the
    /// budget that Tokio gives a task for each poll, which takes many operations that need not wait; or a function of
    /// the host has [noted](deferral::note) it.
    is_deferred: bool,
    usage: Arc<Usage>,
}

impl<T> RunningCall<T> {
    pub(in crate::sandbox) fn new(future: CallFuture<T>, interruptions: Arc<AtomicU32>, usage: Arc<Usage>) -> Self {
        let guest_waker = Arc::new(GuestWaker {
            was_woken: AtomicBool::new(true),
            has_yielded: AtomicBool::new(false),
            task: AtomicWaker::new(),
        });
        let waker = Waker::from(guest_waker.clone());
        Self {
            future: Some(future),
            output: None,
            guest_waker,
            waker,
            interruptions,
            busy_time: Duration::ZERO,
            is_deferred: false,
            usage,
        }
    }

    /// Runs the guest until it waits for something. Ready when it has trapped or returned. May be polled again after it
    /// has returned.
    pub(in crate::sandbox) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        let Some(future) = &mut self.future else { return Poll::Ready(Ok(())) };
        self.guest_waker.task.register(context.waker());
        if !self.guest_waker.was_woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        self.guest_waker.has_yielded.store(false, Ordering::Relaxed);
        let started = Instant::now();
        POLLED.set(Arc::as_ptr(&self.guest_waker));
        // Calls that are throttled as a whole, such as workers, do not take it.
        deferral::take_note();
        let polled = future.as_mut().poll(&mut Context::from_waker(&self.waker));
        POLLED.set(ptr::null());
        let run_time = started.elapsed();
        self.usage.add_run_time(run_time);
        if self.interruptions.swap(0, Ordering::Relaxed) > IGNORED_INTERRUPTIONS {
            self.busy_time += run_time;
        } else {
            self.busy_time = Duration::ZERO;
        }
        // Tokio wakes the guest only when other tasks and the drivers have had their turn, so this is not seen by the
        // waker. There is no budget outside a runtime or in `unconstrained`, and then some is always left.
        self.is_deferred = polled.is_pending() && (deferral::take_note() || !has_budget_remaining());
        if self.is_deferred {
            // The guest may also have used up the budget exactly, or yielded among other things, and then begun to wait.
            // So let Tokio wake it in any case, to find out.
            let _ = pin!(yield_now()).poll(&mut Context::from_waker(&self.waker));
        }
        polled.map(|result| {
            self.future = None;
            result.map(|output| self.output = Some(output))
        })
    }

    /// Takes the output of the call, if it has returned and the output was not taken before.
    pub(in crate::sandbox) fn take_output(&mut self) -> Option<T> {
        self.output.take()
    }

    /// How long the guest has computed without waiting for anything.
    pub(in crate::sandbox) fn busy_time(&self) -> Duration {
        self.busy_time
    }

    pub(in crate::sandbox) fn reset_busy_time(&mut self) {
        self.busy_time = Duration::ZERO;
    }

    /// Whether the guest waits for something that has not happened yet. False if it was interrupted while it computed.
    pub(in crate::sandbox) fn is_waiting(&self) -> bool {
        self.busy_time.is_zero() && !self.is_deferred && !self.guest_waker.was_woken.load(Ordering::Acquire)
    }

    /// Whether Tokio or the host made the guest yield, and nothing has woken it since.
    pub(in crate::sandbox) fn is_deferred(&self) -> bool {
        self.is_deferred && !self.guest_waker.was_woken.load(Ordering::Acquire)
    }

    /// Whether the guest was interrupted while it computed.
    pub(in crate::sandbox) fn is_computing(&self) -> bool {
        !self.busy_time.is_zero()
    }

    /// Whether the guest has asked to run again at once, during the last poll, or was made to yield, and has not waited
    /// for anything.
    pub(in crate::sandbox) fn has_yielded(&self) -> bool {
        self.is_deferred || self.guest_waker.has_yielded.load(Ordering::Relaxed)
    }

    /// Whether the guest has exceeded [`COMPUTE_LIMIT`].
    pub(in crate::sandbox) fn exceeds_compute_limit(&self) -> bool {
        self.busy_time > COMPUTE_LIMIT
    }
}

thread_local! {
    /// The waker of the call that this thread polls. Only compared.
    static POLLED: Cell<*const GuestWaker> = const { Cell::new(ptr::null()) };
}

/// The waker that the guest is polled with. It remembers that it was woken, and wakes the task that polls the call.
struct GuestWaker {
    was_woken: AtomicBool,
    /// Whether it was woken by the guest itself: by the thread that polls it, and while that polls it.
    has_yielded: AtomicBool,
    task: AtomicWaker,
}

impl Wake for GuestWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if ptr::eq(POLLED.get(), Arc::as_ptr(self)) {
            self.has_yielded.store(true, Ordering::Relaxed);
        }
        self.was_woken.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};

    use tokio::task::coop::{consume_budget, unconstrained};

    use super::*;

    /// More than Tokio permits in one poll.
    const OPERATIONS: usize = 1000;

    fn call(future: impl Future<Output = ()> + Send + 'static) -> RunningCall<()> {
        let future = async {
            future.await;
            Ok(())
        };
        RunningCall::new(Box::pin(future), Arc::default(), Arc::default())
    }

    /// Polls a call in the way that a task does.
    async fn poll(call: &mut RunningCall<()>) -> Poll<()> {
        poll_fn(|context| Poll::Ready(call.poll(context).map(Result::unwrap))).await
    }

    #[tokio::test]
    async fn a_guest_that_tokio_makes_yield_does_not_wait() {
        let mut call = call(async {
            for _ in 0..OPERATIONS {
                consume_budget().await;
            }
            pending().await
        });
        let mut yields = 0;
        assert_eq!(poll(&mut call).await, Poll::Pending);
        while !call.is_waiting() {
            assert!(call.has_yielded() && call.is_deferred());
            yields += 1;
            // Tokio wakes the guest, and gives this task another budget.
            yield_now().await;
            assert_eq!(poll(&mut call).await, Poll::Pending);
        }
        assert!(yields > 1 && !call.has_yielded() && !call.is_deferred(), "{yields}");
    }

    #[tokio::test]
    async fn a_guest_that_the_host_makes_yield_does_not_wait() {
        let mut call = call(async {
            deferral::note();
            yield_now().await;
            pending().await
        });
        assert_eq!(poll(&mut call).await, Poll::Pending);
        assert!(!call.is_waiting() && call.has_yielded());
        yield_now().await;
        assert_eq!(poll(&mut call).await, Poll::Pending);
        assert!(call.is_waiting() && !call.has_yielded());
    }

    #[tokio::test]
    async fn a_guest_that_begins_to_wait_when_its_budget_ends_is_seen_to_wait() {
        let mut call = call(async {
            while has_budget_remaining() {
                consume_budget().await;
            }
            pending().await
        });
        yield_now().await;
        assert_eq!(poll(&mut call).await, Poll::Pending);
        assert!(!call.is_waiting());
        yield_now().await;
        assert_eq!(poll(&mut call).await, Poll::Pending);
        assert!(call.is_waiting());
    }

    #[tokio::test]
    async fn a_guest_without_a_budget_is_seen_to_wait() {
        let mut call = call(async {
            for _ in 0..OPERATIONS {
                consume_budget().await;
            }
            pending().await
        });
        assert_eq!(unconstrained(poll(&mut call)).await, Poll::Pending);
        assert!(call.is_waiting() && !call.has_yielded());
    }
}
