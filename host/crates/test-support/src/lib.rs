//! What the tests share: a server to talk to, clients that read every byte, guests that misbehave.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking, and its names are its documentation"
)]

pub mod client;
pub mod fakecam;
pub mod guests;
pub mod pictures;
pub mod relay;
pub mod server;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for something that must happen. Long, for machines that are busy; nothing waits this
/// long unless it fails.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Wait until `condition` holds. For what can only be looked at, such as files in /proc.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The project's top folder.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap().to_owned()
}

/// The pictures that the emulated camera plays.
pub fn built_in_pictures() -> Vec<Vec<u8>> {
    (1..=3).map(|number| std::fs::read(workspace().join(format!("frames/{number}.jpg"))).unwrap()).collect()
}
