//! The time in which one component answers requests, as seen by an instance of it.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

/// Where a generation is in its life. Only ever moves on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// It answers new requests.
    Serving,
    /// Another one does; responses under way go on.
    Replaced,
    /// Responses under way are ended.
    Ended,
}

/// What is told of a generation to its instances.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    /// The generation's number, from 1.
    pub number: u64,
    /// When it began to serve.
    pub since: SystemTime,
    /// The SHA-256 of its component, in hexadecimal digits.
    pub digest: Arc<str>,
    /// Where it is in its life.
    pub phase: watch::Receiver<Phase>,
}

impl Lifecycle {
    /// A term that begins now, and who says how it goes on. Nobody to say so is as good as the end.
    pub fn begin(number: u64, digest: Arc<str>) -> (watch::Sender<Phase>, Self) {
        let (sender, phase) = watch::channel(Phase::Serving);
        (sender, Self { number, since: SystemTime::now(), digest, phase })
    }

    /// Wait until the generation has come to this stage, or to a later one.
    pub async fn reaches(mut self, awaited: Phase) {
        // Fails when the generation is gone, which is after every stage.
        let _ = self.phase.wait_for(|phase| *phase >= awaited).await;
    }
}
