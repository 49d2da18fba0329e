//! Work that is done one piece after the other, and that may hang.
//!
//! A file system that does not respond blocks its callers for any time, and nothing can interrupt them. What waits for
//! them gives up, and the work itself continues.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinError;
use tokio::time::timeout;

/// How long to wait for earlier work, and then for the work itself. Reading files takes milliseconds, and compiling a
/// component some seconds. Both times together are less than systemd waits for a reload, which is 90 s unless the unit
/// says otherwise (`DefaultTimeoutStartSec=`, systemd-system.conf(5)).
pub const TURN_TIMEOUT: Duration = Duration::from_secs(20);

/// Work of one kind, of which one piece is done at a time. Clones share the turn.
#[derive(Clone)]
pub struct Turn {
    lock: Arc<Mutex<()>>,
    timeout: Duration,
}

/// Why the outcome of work is not known.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The work has not begun, because earlier work has not ended.
    #[error(
        "an earlier attempt has not ended within {} s; a file system or a device may not respond",
        TURN_TIMEOUT.as_secs()
    )]
    Busy,
    /// The work continues.
    #[error("it takes more than {} s, and continues; a file system or a device may not respond", TURN_TIMEOUT.as_secs())]
    Slow,
    /// The work has panicked.
    #[error("it has failed because of a bug in hotshoe: {0}")]
    Panicked(#[from] JoinError),
}

impl TurnError {
    /// Whether it may work later.
    pub fn is_temporary(&self) -> bool {
        !matches!(self, Self::Panicked(_))
    }
}

impl Turn {
    /// Does this work when all earlier work has ended, and returns its result. It goes on if the future is dropped, and
    /// after [`TURN_TIMEOUT`]; until it ends, no other work begins. Must be called inside a Tokio runtime.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, TurnError> {
        // Those who wait get the lock in their order.
        let lock = timeout(self.timeout, self.lock.clone().lock_owned()).await.map_err(|_| TurnError::Busy)?;
        let working = tokio::spawn(async move {
            let _lock = lock;
            work.await
        });
        Ok(timeout(self.timeout, working).await.map_err(|_| TurnError::Slow)??)
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self { lock: Arc::default(), timeout: TURN_TIMEOUT }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_that_hangs_is_not_waited_for_and_keeps_its_turn_until_it_ends() {
        let turn = Turn { timeout: Duration::from_millis(1), ..Turn::default() };
        let (end, ended) = oneshot::channel::<()>();
        assert!(matches!(turn.run(ended).await, Err(TurnError::Slow)));
        for _ in 0..2 {
            let other = turn.run(async { panic!("another turn has not ended") });
            assert!(matches!(other.await.map(drop), Err(TurnError::Busy)));
        }
        end.send(()).unwrap();
        let patient = Turn { timeout: TURN_TIMEOUT, ..turn };
        assert_eq!(patient.run(async { 1 }).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn work_that_panics_or_is_abandoned_leaves_the_turn_to_others() {
        let turn = Turn::default();
        assert!(matches!(turn.run(async { panic!("a bug") }).await.map(drop), Err(TurnError::Panicked(_))));
        let (end, ended) = oneshot::channel();
        let abandoned = turn.run(async move { ended.await.unwrap() });
        assert!(timeout(Duration::from_millis(1), abandoned).await.is_err());
        end.send(()).expect("it continues");
        assert_eq!(turn.run(async { 2 }).await.unwrap(), 2);
    }
}
