//! How long a viewer may watch.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::sleep;

use super::caller::Caller;
use super::rules::Rules;

/// How long to wait at most before the time is read again. The clock of a machine without a battery can jump by years
/// once it reaches the network.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// How long a viewer may watch: until the user is removed, or gets another password or a lesser role, or until the token
/// expires or is revoked.
pub struct Lease(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Lease {
    pub(super) fn new(mut rules: watch::Receiver<Arc<Rules>>, caller: Caller) -> Self {
        Self(Box::pin(async move {
            while rules.borrow_and_update().still_admit(&caller, now()) {
                let timeout = match &caller {
                    Caller::Token { expires, .. } => {
                        Duration::from_secs(expires.saturating_sub(now())).clamp(Duration::from_secs(1), MAX_SLEEP)
                    }
                    Caller::Anyone | Caller::User { .. } => Duration::MAX,
                };
                tokio::select! {
                    // Fails if the server shuts down, which ends all responses by itself.
                    changed = rules.changed() => if changed.is_err() { std::future::pending().await },
                    () = sleep(timeout) => {}
                }
            }
        }))
    }

    /// Waits for the end. Must not be polled after it has ended.
    pub fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

/// The time in seconds since 1970. Zero before that.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
