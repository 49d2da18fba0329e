//! The first load of a component that belongs to a camera.
//!
//! Compiling takes minutes at worst, and a file system may hang. So this happens on a thread of its own, at most one for
//! each component, and a camera that opens meanwhile waits only for a moment.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::camera::{Outage, OutageCause};
use crate::sandbox::LoadError;

/// How long an opening waits. Most components are loaded by then, and viewers see no placeholder. Far less than the time
/// after which a camera is reported as unresponsive.
const OPENING_WAIT: Duration = Duration::from_secs(3);

/// How long a component that could not be compiled is not compiled again. The reason may go away, such as a lack of
/// memory, but an attempt can take five minutes of a processor.
const RETRY_DELAY: Duration = Duration::from_secs(60);

/// The first load of a component, or its last attempt. Clones share it.
#[derive(Clone, Default)]
pub(super) struct FirstLoad(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    phase: Phase,
    failed: Option<Failed>,
}

#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Phase {
    #[default]
    Idle,
    Reading,
    Compiling,
}

/// Why the last attempt failed.
#[derive(Clone)]
struct Failed {
    /// The digest of what the file contained. `None` if it could not be read.
    digest: Option<Arc<str>>,
    /// When to compile it again. `None` if that would fail again.
    retry_at: Option<Instant>,
    outage: Outage,
}

/// An attempt to load the component. Dropping it ends the attempt.
pub(super) struct Attempt(FirstLoad);

impl FirstLoad {
    /// Starts an attempt, unless there is one.
    pub(super) fn begin(&self) -> Option<Attempt> {
        let mut state = self.state();
        (state.phase == Phase::Idle).then(|| {
            state.phase = Phase::Reading;
            Attempt(self.clone())
        })
    }

    /// Wakes whoever waits, because there is a component.
    pub(super) fn wake(&self) {
        // Under the lock, no opening can be between its check and its wait.
        let _state = self.state();
        self.0.1.notify_all();
    }

    /// Waits for a moment until the attempt has ended or `is_loaded` returns true. `is_loaded` must not use this value.
    pub(super) fn wait(&self, is_loaded: impl Fn() -> bool) {
        let is_pending = |state: &mut State| state.phase != Phase::Idle && !is_loaded();
        // About a poisoned lock, see `state`.
        drop(self.0.1.wait_timeout_while(self.state(), OPENING_WAIT, is_pending));
    }

    /// Why there is no component. `role` is what it is for the camera, such as `driver`, and `file` where it is read.
    pub(super) fn outage(&self, role: &str, file: &str) -> Outage {
        let state = self.state();
        let failed = |message: String| Outage { cause: OutageCause::Failed, message: message.into() };
        match (state.phase, &state.failed) {
            (Phase::Reading, _) => failed(format!("the {role} is being loaded; reading {file} takes long")),
            (Phase::Compiling, _) => failed(format!("the {role} is being loaded")),
            (Phase::Idle, Some(Failed { outage, .. })) => outage.clone(),
            // It has panicked.
            (Phase::Idle, None) => failed(format!("the {role} cannot be loaded because of a bug; please report it")),
        }
    }

    /// The outage because of which the last attempt has failed.
    pub(super) fn failure(&self) -> Option<Outage> {
        self.state().failed.as_ref().map(|failed| failed.outage.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state inconsistent.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// The file was read, and has this digest. Returns `false` if it cannot be loaded, as is known from an earlier
    /// attempt.
    pub(super) fn may_load(&self, digest: &str) -> bool {
        let mut state = self.0.state();
        state.phase = Phase::Compiling;
        let is_known = state.failed.as_ref().is_some_and(|failed| {
            failed.digest.as_deref() == Some(digest) && failed.retry_at.is_none_or(|retry_at| Instant::now() < retry_at)
        });
        if !is_known {
            state.failed = None;
        }
        !is_known
    }

    /// The attempt has failed. `digest` is that of what the file contains; `None` if it could not be read.
    pub(super) fn fail(&self, digest: Option<Arc<str>>, error: &LoadError, outage: Outage) {
        // What the system did may not happen again. What the component is does not change.
        let is_final = !matches!(error, LoadError::Compile { .. });
        let retry_at = (!is_final).then(|| Instant::now() + RETRY_DELAY);
        self.0.state().failed = Some(Failed { digest, retry_at, outage });
    }

    /// The attempt could not begin for this reason.
    pub(super) fn fail_to_start(&self, outage: Outage) {
        self.0.state().failed = Some(Failed { digest: None, retry_at: None, outage });
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.state().phase = Phase::Idle;
        self.0.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_attempt_at_a_time_and_openings_wait_until_it_ends() {
        let load = FirstLoad::default();
        let attempt = load.begin().unwrap();
        assert!(load.begin().is_none());
        std::thread::scope(|scope| {
            let opening = scope.spawn(|| {
                load.wait(|| false);
                load.outage("driver", "a.wasm").message
            });
            attempt.fail_to_start(Outage { cause: OutageCause::Failed, message: "no thread".into() });
            drop(attempt);
            assert_eq!(&*opening.join().unwrap(), "no thread");
        });
        assert!(load.begin().is_some());
    }

    #[test]
    fn what_cannot_be_loaded_is_not_tried_again_until_the_file_changes() {
        let load = FirstLoad::default();
        let outage = || Outage { cause: OutageCause::Unsupported, message: "no".into() };
        let attempt = load.begin().unwrap();
        assert!(attempt.may_load("1"));
        let file = crate::sandbox::Origin::CameraFile { role: "driver", path: "a.wasm".into() };
        attempt.fail(Some("1".into()), &LoadError::NotDriver(file), outage());
        drop(attempt);
        let attempt = load.begin().unwrap();
        assert!(!attempt.may_load("1"));
        assert_eq!(load.failure(), Some(outage()));
        assert!(attempt.may_load("2"));
        assert_eq!(load.failure(), None);
    }
}
