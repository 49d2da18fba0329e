//! A guest at work: entered when something has happened that it waits for, and watched while it computes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

use super::error::{CallError, SPIN_LIMIT};
use super::state::FREE_INTERRUPTIONS;

/// A call's future, with its instance inside, and what is left when it has returned.
pub(super) type Call<T> = Pin<Box<dyn Future<Output = Result<T, CallError>> + Send>>;

/// A call that runs for as long as it is polled, and ends when dropped.
///
/// It belongs to the task of the connection, which is woken for many reasons: the socket takes bytes again,
/// the client sends something. The guest is entered only when something has happened that it waits for.
pub(super) struct Running<T> {
    /// None when it has returned.
    call: Option<Call<T>>,
    /// What was left then.
    left: Option<T>,
    waker_state: Arc<GuestWaker>,
    /// Rings the doorbell. Made once, since the guest is entered for every frame.
    waker: Waker,
    /// How often the guest was interrupted since it was entered; see `GuestState`.
    interruptions: Arc<AtomicU32>,
    /// For how long the guest has computed without waiting for anything; zero while it waits.
    busy: Duration,
}

impl<T> Running<T> {
    pub(super) fn new(call: Call<T>, interruptions: Arc<AtomicU32>) -> Self {
        let waker_state = Arc::new(GuestWaker { is_woken: AtomicBool::new(true), task: AtomicWaker::new() });
        let waker = Waker::from(waker_state.clone());
        Self { call: Some(call), left: None, waker_state, waker, interruptions, busy: Duration::ZERO }
    }

    /// Let the guest run until it waits for something. Ready when it has returned (again and again, if
    /// polled on) or trapped.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        let Some(call) = &mut self.call else { return Poll::Ready(Ok(())) };
        self.waker_state.task.register(context.waker());
        if !self.waker_state.is_woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let entered = Instant::now();
        let polled = call.as_mut().poll(&mut Context::from_waker(&self.waker));
        if self.interruptions.swap(0, Ordering::Relaxed) > FREE_INTERRUPTIONS {
            self.busy += entered.elapsed();
        } else {
            self.busy = Duration::ZERO;
        }
        polled.map(|returned| {
            self.call = None;
            returned.map(|left| self.left = Some(left))
        })
    }

    /// What the call has left, once, if it has returned.
    pub(super) fn take_output(&mut self) -> Option<T> {
        self.left.take()
    }

    /// Forget for how long the guest has computed so far.
    pub(super) fn reset_busy_time(&mut self) {
        self.busy = Duration::ZERO;
    }

    /// Whether the guest waits for something that has not happened, and was not merely interrupted while it computed.
    pub(super) fn waits(&self) -> bool {
        self.busy.is_zero() && !self.waker_state.is_woken.load(Ordering::Acquire)
    }

    /// Whether the guest has been computing without a pause for longer than it may.
    pub(super) fn spins(&self) -> bool {
        self.busy > SPIN_LIMIT
    }
}

/// The waker that a guest waits with: it remembers that it was rung, and wakes the connection's task.
struct GuestWaker {
    is_woken: AtomicBool,
    task: AtomicWaker,
}

impl Wake for GuestWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.task.wake();
    }
}
