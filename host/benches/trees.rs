//! The acceptance test of trees of servers (`docs/scaling.md`): an origin, three relays, HAProxy and thousands of
//! viewers, each on a machine of its own (a network namespace), with an origin that restarts, a relay that dies, and a
//! lossy link. Needs root, `ip`, curl and HAProxy.
//!
//! ```text
//! cargo bench --bench trees               # 3,000 viewers: a minute
//! cargo bench --bench trees -- 1000 10    # 1,000 viewers at 10 frames per second
//! ```
//!
//! All servers, the balancer and the viewers share the processors of this machine, so the images are small and the
//! rate is low. On a machine that does other work, run it with `nice -n -15`. Fails if a promise is not kept.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "the test fails by panicking, and prints its results")]

use std::process::ExitCode;
use std::time::Duration;

use hotshoe_test_support::tree::{Plan, check};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const VIEWERS: usize = 3000;
/// Frames per second.
const RATE: u32 = 5;
const WINDOW: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    // cargo adds `--bench`.
    let mut numbers = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    let mut number = || numbers.next().map(|arg| arg.parse().expect("numbers: viewers and frames per second"));
    let viewers = number().map_or(VIEWERS, |viewers: u32| viewers as usize);
    let rate = number().unwrap_or(RATE);
    // The balancer has two connections for each viewer.
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("the limit on open files can be raised");
    println!("{viewers} viewers at {rate} frames per second of 160x120 pixels.\n");
    println!("| promise | measured | kept |");
    println!("| --- | --- | --- |");
    let plan = Plan { viewers, rate, window: WINDOW, percent_in_time: 100, time_tolerance: 1, cost_tolerance: 1.15 };
    let checks = check(plan);
    for check in &checks {
        println!("| {} | {} | {} |", check.promise, check.measured, if check.is_kept { "yes" } else { "no" });
    }
    if checks.iter().all(|check| check.is_kept) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
