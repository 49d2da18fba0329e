//! The generation that an instance belongs to, as the instance sees it.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

/// The phases of a generation. A generation only ever moves to a later phase.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// New requests go to this generation.
    Serving,
    /// New requests go to another generation. Responses in progress continue.
    Replaced,
    /// Responses in progress are ended.
    Ended,
}

/// What instances know of their generation.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    /// The generation's number, from 1.
    pub number: u64,
    /// When it began to serve.
    pub since: SystemTime,
    /// The SHA-256 of its component, in hexadecimal digits.
    pub digest: Arc<str>,
    /// Its current phase.
    pub phase: watch::Receiver<Phase>,
    /// Whether it is only tested so far: it may be refused, so it must not affect what others have done.
    pub is_candidate: bool,
}

impl Lifecycle {
    /// Begins a generation now. Send later phases with the sender. Dropping it counts as [`Phase::Ended`].
    pub fn begin(number: u64, digest: Arc<str>) -> (watch::Sender<Phase>, Self) {
        let (sender, phase) = watch::channel(Phase::Serving);
        (sender, Self { number, since: SystemTime::now(), digest, phase, is_candidate: false })
    }

    /// Like [`Self::begin`], for a guest that is tested and would become this generation.
    pub fn begin_test(number: u64, digest: Arc<str>) -> (watch::Sender<Phase>, Self) {
        let (sender, lifecycle) = Self::begin(number, digest);
        (sender, Self { is_candidate: true, ..lifecycle })
    }

    /// Whether responses in progress are ended.
    pub(super) fn has_ended(&self) -> bool {
        // The sender is gone if this fails.
        self.phase.has_changed().is_err() || *self.phase.borrow() == Phase::Ended
    }

    /// Waits until the generation has reached `phase` or a later one.
    pub async fn reaches(mut self, phase: Phase) {
        // Fails if the sender is gone, which counts as the last phase.
        let _ = self.phase.wait_for(|current| *current >= phase).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_generation_ends_with_its_last_phase_or_without_its_sender() {
        let (sender, lifecycle) = Lifecycle::begin(1, "".into());
        assert!(!lifecycle.has_ended());
        sender.send_replace(Phase::Replaced);
        assert!(!lifecycle.has_ended());
        let dropped = lifecycle.clone();
        sender.send_replace(Phase::Ended);
        assert!(lifecycle.has_ended());
        lifecycle.reaches(Phase::Ended).await;
        drop(sender);
        assert!(dropped.has_ended());
        let (sender, lifecycle) = Lifecycle::begin_test(1, "".into());
        drop(sender);
        assert!(lifecycle.has_ended());
        lifecycle.reaches(Phase::Ended).await;
    }
}
