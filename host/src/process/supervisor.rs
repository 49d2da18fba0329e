//! Background tasks that must not end, and what happens if one does.
//!
//! A task that panics would otherwise be gone without a word: nobody joins it while the server runs. What can be started
//! again is; what cannot ends the server.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::error;

/// How long to wait before a task is restarted.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The first time. Doubled with each restart.
    pub first: Duration,
    /// At most. A task that ran for longer than this starts from the first again.
    pub longest: Duration,
}

impl Backoff {
    /// A defect should not fill the log, nor take a camera away for longer than it must.
    pub const USUAL: Self = Self { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
}

/// A task panicked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("panicked: {0}")]
pub struct Panicked(pub String);

/// A background task is over, which should run for as long as the server does.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// It panicked.
    #[error("{name} {panicked}; please report this")]
    Panicked {
        /// The task.
        name: String,
        /// Its panic.
        panicked: Panicked,
    },
    /// It returned.
    #[error("{0} ended; please report this")]
    Returned(String),
}

/// Background tasks, none of which must end while the server runs. Dropping this ends them all.
#[derive(Default)]
pub struct BackgroundTasks {
    tasks: JoinSet<Ended>,
}

impl BackgroundTasks {
    /// Run a task that cannot be restarted. `name` is for the log: "the admin listener".
    pub fn spawn(&mut self, name: &str, task: impl Future<Output = ()> + Send + 'static, runtime: &Handle) {
        let name = name.to_owned();
        let task = async {
            match catch_panic(task).await {
                Ok(()) => Ended::Returned(name),
                Err(panicked) => Ended::Panicked { name, panicked },
            }
        };
        self.tasks.spawn_on(task, runtime);
    }

    /// Run the task that `start` makes, and restart it whenever it panics.
    pub fn spawn_restarting<F>(&mut self, name: &str, start: impl FnMut() -> F + Send + 'static, runtime: &Handle)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task_name = name.to_owned();
        self.spawn(name, async move { restart_on_panic(&task_name, Backoff::USUAL, start).await }, runtime);
    }

    /// Wait until a task ends, which none should. Cancel-safe.
    pub async fn ended(&mut self) -> Ended {
        match self.tasks.join_next().await {
            Some(Ok(ended)) => ended,
            // Panics are caught inside, so it was aborted.
            Some(Err(error)) => Ended::Returned(format!("a background task ({error})")),
            None => std::future::pending().await,
        }
    }

    /// End all tasks, and wait for that.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Run a future and catch its panic. What the future owns is dropped then; what it shares must be fit for use after a panic,
/// as everything behind this project's locks is.
pub async fn catch_panic<F: Future>(future: F) -> Result<F::Output, Panicked> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|payload| Panicked(message(&*payload)))
}

/// Run the future that `start` makes, and run another whenever one panics, until one ends. `name` is for the log: "the
/// supervisor of camera front".
pub async fn restart_on_panic<F: Future>(name: &str, backoff: Backoff, mut start: impl FnMut() -> F) -> F::Output {
    let mut pause = backoff.first;
    loop {
        let started = Instant::now();
        match catch_panic(async { start().await }).await {
            Ok(output) => return output,
            Err(panicked) => {
                if started.elapsed() > backoff.longest {
                    pause = backoff.first;
                }
                error!("{name} {panicked}; it is restarted in {} s", pause.as_secs_f64());
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(backoff.longest);
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Backoff = Backoff { first: Duration::ZERO, longest: Duration::ZERO };

    #[tokio::test]
    async fn a_task_that_panics_is_restarted_until_it_ends() {
        let mut starts = 0;
        let output = restart_on_panic("the test", AT_ONCE, || {
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
        let output = restart_on_panic("the test", AT_ONCE, || {
            starts += 1;
            assert!(starts > 1, "the first start panics");
            std::future::ready(starts)
        });
        assert_eq!(output.await, 2);
    }

    #[tokio::test]
    async fn a_task_that_ends_or_panics_is_noticed() {
        let runtime = Handle::current();
        let mut tasks = BackgroundTasks::default();
        tasks.spawn("the first", std::future::pending(), &runtime);
        tasks.spawn("the second", async { panic!("oh") }, &runtime);
        assert_eq!(tasks.ended().await.to_string(), "the second panicked: oh; please report this");
        tasks.spawn("the third", async {}, &runtime);
        assert_eq!(tasks.ended().await.to_string(), "the third ended; please report this");
        tasks.shutdown().await;
    }

    #[tokio::test]
    async fn a_panic_is_told_by_its_message() {
        assert_eq!(catch_panic(async { panic!("number {}", 7) }).await, Err::<(), _>(Panicked("number 7".to_owned())));
        assert_eq!(catch_panic(async { 7 }).await, Ok(7));
    }
}
