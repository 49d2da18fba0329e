//! Background tasks that must run as long as the server.
//!
//! Nothing joins such a task while the server runs, so a panic would go unnoticed. A task that can be restarted is
//! restarted. If any other task ends, the server exits.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::error;

/// The delays before a task is restarted.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The first delay. It doubles with each restart.
    pub initial: Duration,
    /// The longest delay. After running for longer than this, a task starts again from the initial delay.
    pub max: Duration,
}

impl Backoff {
    /// Short enough that a bug takes a camera away only briefly, and long enough that it does not fill the log.
    pub const DEFAULT: Self = Self { initial: Duration::from_secs(1), max: Duration::from_secs(60) };
}

/// The delays before the restarts of one task.
pub struct Restarts {
    backoff: Backoff,
    delay: Duration,
}

impl Restarts {
    /// Begins with the initial delay.
    pub fn new(backoff: Backoff) -> Self {
        Self { backoff, delay: backoff.initial }
    }

    /// The delay before the next restart of a task that ran for this long.
    pub fn next_delay(&mut self, ran_for: Duration) -> Duration {
        if ran_for > self.backoff.max {
            self.delay = self.backoff.initial;
        }
        let delay = self.delay;
        self.delay = (delay * 2).min(self.backoff.max);
        delay
    }
}

/// A task panicked, with this message.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("panicked: {0}")]
pub struct Panicked(pub String);

/// A background task ended that should run as long as the server.
#[derive(Debug, thiserror::Error)]
pub enum TaskEnded {
    /// The task panicked.
    #[error("{name} {panicked}; please report this")]
    Panicked {
        /// The name of the task.
        name: String,
        /// The panic.
        panicked: Panicked,
    },
    /// The task returned.
    #[error("{0} ended unexpectedly; please report this")]
    Returned(String),
}

/// Background tasks, none of which may end while the server runs. Dropping the set aborts them all.
#[derive(Default)]
pub struct BackgroundTasks {
    tasks: JoinSet<TaskEnded>,
}

impl BackgroundTasks {
    /// Spawns a task that cannot be restarted. `name` is for the log: "the admin listener".
    pub fn spawn(&mut self, name: &str, task: impl Future<Output = ()> + Send + 'static, runtime: &Handle) {
        let name = name.to_owned();
        let task = async {
            match catch_panic(task).await {
                Ok(()) => TaskEnded::Returned(name),
                Err(panicked) => TaskEnded::Panicked { name, panicked },
            }
        };
        self.tasks.spawn_on(task, runtime);
    }

    /// Spawns the task that `start` creates, and restarts it whenever it panics.
    pub fn spawn_restarting<F>(&mut self, name: &str, start: impl FnMut() -> F + Send + 'static, runtime: &Handle)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task_name = name.to_owned();
        self.spawn(name, async move { restart_on_panic(&task_name, Backoff::DEFAULT, start).await }, runtime);
    }

    /// Waits until a task ends. Cancel safe.
    pub async fn ended(&mut self) -> TaskEnded {
        match self.tasks.join_next().await {
            Some(Ok(ended)) => ended,
            // Panics are caught inside the task, so it was aborted.
            Some(Err(error)) => TaskEnded::Returned(format!("a background task ({error})")),
            None => std::future::pending().await,
        }
    }

    /// Aborts all tasks, and waits until they have ended.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Runs a future and catches its panic. The panic drops what the future owns. What it shares must be usable after a
/// panic, as everything behind a lock in this project is.
pub async fn catch_panic<F: Future>(future: F) -> Result<F::Output, Panicked> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|payload| Panicked(message(&*payload)))
}

/// Runs the future that `start` creates, and a new one whenever it panics, until one returns. `name` is for the log:
/// "the supervisor of camera front".
pub async fn restart_on_panic<F: Future>(name: &str, backoff: Backoff, mut start: impl FnMut() -> F) -> F::Output {
    let mut restarts = Restarts::new(backoff);
    loop {
        let started = Instant::now();
        let panicked = match catch_panic(async { start().await }).await {
            Ok(output) => return output,
            Err(panicked) => panicked,
        };
        let delay = restarts.next_delay(started.elapsed());
        error!("{name} {panicked}; restarting in {} s", delay.as_secs_f64());
        sleep(delay).await;
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_DELAY: Backoff = Backoff { initial: Duration::ZERO, max: Duration::ZERO };

    #[test]
    fn delays_grow_up_to_a_limit_and_shrink_after_a_long_run() {
        let seconds = Duration::from_secs;
        let mut restarts = Restarts::new(Backoff { initial: seconds(1), max: seconds(5) });
        let delays = [0, 0, 5, 0, 0, 6, 0].map(|ran_for| restarts.next_delay(seconds(ran_for)).as_secs());
        assert_eq!(delays, [1, 2, 4, 5, 5, 1, 2]);
    }

    #[tokio::test]
    async fn a_task_that_panics_is_restarted_until_it_returns() {
        let mut starts = 0;
        let output = restart_on_panic("the test", NO_DELAY, || {
            starts += 1;
            let number = starts;
            async move {
                tokio::task::yield_now().await;
                assert!(number >= 4, "not yet");
                number
            }
        });
        assert_eq!(output.await, 4);
    }

    #[tokio::test]
    async fn a_panic_before_the_first_await_is_caught_too() {
        let mut starts = 0;
        let output = restart_on_panic("the test", NO_DELAY, || {
            starts += 1;
            assert!(starts > 1, "the first start panics");
            std::future::ready(starts)
        });
        assert_eq!(output.await, 2);
    }

    #[tokio::test]
    async fn a_task_that_returns_or_panics_is_reported() {
        let runtime = Handle::current();
        let mut tasks = BackgroundTasks::default();
        tasks.spawn("the first", std::future::pending(), &runtime);
        tasks.spawn("the second", async { panic!("oh") }, &runtime);
        assert_eq!(tasks.ended().await.to_string(), "the second panicked: oh; please report this");
        tasks.spawn("the third", async {}, &runtime);
        assert_eq!(tasks.ended().await.to_string(), "the third ended unexpectedly; please report this");
        tasks.shutdown().await;
    }

    #[tokio::test]
    async fn panics_are_reported_with_their_message() {
        assert_eq!(catch_panic(async { panic!("number {}", 7) }).await, Err::<(), _>(Panicked("number 7".to_owned())));
        assert_eq!(catch_panic(async { 7 }).await, Ok(7));
    }
}
