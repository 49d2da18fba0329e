//! A tree of servers on machines of their own. `host/benches/trees.rs` checks the same with thousands of viewers.

use std::time::Duration;

use hotshoe_test_support::tree::{Plan, check};

/// Frames arrive in time, the origin has the cost of its relays only, viewers see that the origin restarts and return
/// to the picture, only those of a dead relay reconnect, and pictures behind a lossy link stay fresh.
pub fn keeps_its_promises() {
    // Other tests run beside this one, so only the median must be in time, and the rest may take twice as long. An
    // origin that pays for all viewers would cost ten times as much.
    let plan = Plan {
        viewers: 30,
        rate: 10,
        window: Duration::from_secs(3),
        percent_in_time: 50,
        time_tolerance: 2,
        cost_tolerance: 4.0,
    };
    let checks = check(plan);
    assert!(checks.iter().all(|check| check.is_kept), "{checks:#?}");
}
