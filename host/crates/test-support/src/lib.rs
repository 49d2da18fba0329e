//! Code shared by the tests: running servers, strict clients, test guests, cameras and network faults.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking, and the names of test code are its documentation"
)]

pub mod balancer;
pub mod client;
pub mod fakecam;
pub mod guests;
pub mod http_server;
pub mod load;
pub mod lossy_link;
pub mod middleware;
pub mod network;
pub mod pictures;
pub mod random;
pub mod relay;
pub mod server;
pub mod tls;
pub mod tree;

use std::net::{Ipv6Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for something that must happen. Generous, for busy machines. Only failing tests wait this long.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// Polls until a condition holds. `what` completes the sentence "timed out waiting until …".
#[track_caller]
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    wait_until_within(what, DEADLINE, condition);
}

/// Like [`wait_until`], but waits this long.
#[track_caller]
pub fn wait_until_within(what: &str, time: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + time;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out waiting until {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether this machine has the IPv6 loopback address.
pub fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// Returns the root folder of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap().to_owned()
}

/// Returns the built-in pictures, which `--camera emulated` delivers.
pub fn built_in_pictures() -> Vec<Vec<u8>> {
    (1..=3).map(|number| std::fs::read(workspace().join(format!("frames/{number}.jpg"))).unwrap()).collect()
}
