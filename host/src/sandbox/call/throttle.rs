//! Limits how much of a processor a call uses.
//!
//! A request may compute for two seconds at most, and a publisher waits between frames. A worker may compute for as
//! long as it likes, for example to look for motion. So it is paused in proportion to the time that it has computed.
//! The same applies to a guest that yields again and again, which does not count as computing: with WASI 0.3 by itself,
//! and with any version because Tokio makes it yield, if what it waits for has always happened already.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep};

use super::error::CallError;
use super::running_call::RunningCall;

/// The share of one processor that a worker, the driver of a camera, or a guest that yields may use: 1 / `WORKER_SHARE`.
/// With half a processor, even a machine with a single one has as much left for requests. Streams run with a higher
/// priority anyway.
pub(super) const WORKER_SHARE: u32 = 2;

/// How long a worker may compute without a pause. The epoch interrupts it every 10 ms, so this bounds how long requests
/// wait for a thread.
const BURST: Duration = Duration::from_millis(20);

/// How long a guest may yield and run again, without a pause, until it is limited to its share of a processor. Yielding
/// does not count as computing: it lets the other requests of the instance continue.
const YIELD_ALLOWANCE: Duration = Duration::from_millis(500);

/// How much of the time between a yield and the next poll counts as used: the runtime takes some to run the task again,
/// often more than the guest takes to yield. The rest of it may belong to other tasks.
const RESUME_TIME: Duration = Duration::from_micros(100);

/// What others compute for a call, which counts as its own. Clones share it.
#[derive(Clone, Default)]
pub(in crate::sandbox) struct Charges(Arc<AtomicU64>);

impl Charges {
    /// Runs a function on account of the call.
    pub(in crate::sandbox) fn charge<T>(&self, function: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let output = function();
        let nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanoseconds, Ordering::Relaxed);
        output
    }

    fn take(&self) -> Duration {
        Duration::from_nanos(self.0.swap(0, Ordering::Relaxed))
    }
}

/// Runs a future, and pauses it whenever it has computed for more than its share, with what was charged to it.
pub(in crate::sandbox) async fn throttled<T>(future: impl Future<Output = T>, charges: Charges) -> T {
    let mut future = pin!(future);
    let mut budget = Budget::new(Duration::ZERO);
    let mut pause: Option<Pin<Box<Sleep>>> = None;
    std::future::poll_fn(move |context| {
        loop {
            if let Some(sleep) = &mut pause {
                if sleep.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                pause = None;
            }
            let started = Instant::now();
            let charged = charges.take();
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            // As if it had just computed that as well.
            match budget.spend(started.checked_sub(charged).unwrap_or(started), Instant::now()) {
                Some(time) => pause = Some(Box::pin(sleep(time))),
                None => return Poll::Pending,
            }
        }
    })
    .await
}

/// How much more than its share a call has computed.
struct Budget {
    /// The time to wait before it may compute again without exceeding its share.
    debt: Duration,
    /// The debt that needs no pause.
    allowance: Duration,
    updated: Instant,
}

impl Budget {
    /// Creates a budget that a call may exceed by `allowance` before it is paused.
    fn new(allowance: Duration) -> Self {
        Self { debt: Duration::ZERO, allowance, updated: Instant::now() }
    }

    /// Records that the call has computed from `started` to `ended`. Returns how long to pause, if it must.
    fn spend(&mut self, started: Instant, ended: Instant) -> Option<Duration> {
        let waited = started.saturating_duration_since(self.updated);
        let used = ended.saturating_duration_since(started);
        self.debt = self.debt.saturating_sub(waited) + used * (WORKER_SHARE - 1);
        self.updated = ended;
        (self.debt > self.allowance + BURST).then(|| self.debt - self.allowance)
    }
}

/// Polls a call, and pauses it while it yields for more than its share.
pub(in crate::sandbox) struct YieldLimit {
    budget: Budget,
    /// When the call has yielded, if it has not been polled since.
    yielded: Option<Instant>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl YieldLimit {
    pub(in crate::sandbox) fn new() -> Self {
        Self { budget: Budget::new(YIELD_ALLOWANCE), yielded: None, pause: None }
    }

    /// Polls the call unless it is paused.
    pub(in crate::sandbox) fn poll<T>(
        &mut self,
        call: &mut RunningCall<T>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), CallError>> {
        if self.pause.as_mut().is_some_and(|pause| pause.as_mut().poll(context).is_pending()) {
            return Poll::Pending;
        }
        let mut started = Instant::now();
        if let Some(yielded) = self.yielded.take()
            && self.pause.take().is_none()
        {
            started = yielded.max(started.checked_sub(RESUME_TIME).unwrap_or(started));
        }
        let polled = call.poll(context);
        if polled.is_pending() && call.has_yielded() {
            let now = Instant::now();
            self.yielded = Some(now);
            // The guest or Tokio wakes this task, so the pause is polled.
            self.pause = self.budget.spend(started, now).map(|time| Box::pin(sleep(time)));
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn budget_from(start: Instant) -> Budget {
        Budget { updated: start, ..Budget::new(Duration::ZERO) }
    }

    #[test]
    fn a_call_that_computes_without_waiting_is_paused_half_of_the_time() {
        let start = Instant::now();
        let mut budget = budget_from(start);
        let (mut now, mut computed) = (start, Duration::ZERO);
        while now < start + 1000 * MS {
            let ended = now + 10 * MS;
            computed += 10 * MS;
            now = ended + budget.spend(now, ended).unwrap_or_default();
        }
        assert!((480 * MS..=530 * MS).contains(&computed), "{computed:?}");
    }

    #[tokio::test]
    async fn what_is_charged_to_a_call_pauses_it_like_its_own_computing() {
        let charges = Charges::default();
        charges.charge(|| std::thread::sleep(2 * BURST));
        let start = Instant::now();
        throttled(tokio::task::yield_now(), charges).await;
        assert!(start.elapsed() >= 2 * BURST);
    }

    #[test]
    fn a_call_that_waits_longer_than_it_computes_is_never_paused() {
        let mut now = Instant::now();
        let mut budget = budget_from(now);
        for _ in 0..1000 {
            let ended = now + 15 * MS;
            assert_eq!(budget.spend(now, ended), None);
            now = ended + 15 * MS;
        }
    }

    #[test]
    fn an_allowance_is_used_up_before_the_first_pause() {
        let start = Instant::now();
        let mut budget = Budget { allowance: 500 * MS, ..budget_from(start) };
        let mut now = start;
        let mut compute = || {
            let ended = now + 10 * MS;
            let pause = budget.spend(now, ended).unwrap_or_default();
            now = ended + pause;
            pause
        };
        let pauses: Vec<_> = (0..60).map(|_| compute()).collect();
        assert_eq!(pauses.iter().position(|pause| !pause.is_zero()), Some(52));
        // Then it is paused shortly and often, not for as long as the allowance.
        assert!(pauses.iter().all(|pause| *pause <= 30 * MS), "{pauses:?}");
    }

    #[test]
    fn many_short_computations_add_up() {
        let mut now = Instant::now();
        let mut budget = budget_from(now);
        // Half a millisecond each, with no time between them.
        let paused = (0..100).find(|_| {
            let ended = now + MS / 2;
            let pause = budget.spend(now, ended);
            now = ended;
            pause.is_some()
        });
        assert_eq!(paused, Some(40));
    }
}
