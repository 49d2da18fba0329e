//! Tests that are ignored if this machine lacks a tool.

use std::num::NonZero;
use std::process::{Command, Output};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use hotshoe_conformance::program;
use libtest_mimic::Trial;

/// How many tests run at the same time for each processor. Most of them wait: for a camera, a client or a timeout.
const TESTS_PER_PROCESSOR: usize = 2;

/// Tests that keep all processors busy. Those of the same lane run one after the other, beside other tests. So the load
/// of the machine has a limit, and everything else meets its deadlines.
#[derive(Debug)]
pub struct Lane(Mutex<()>);

/// The lane of tests that build and compile guests for a minute or more.
pub static COMPILERS: Lane = Lane(Mutex::new(()));

/// The lane of tests that run a virtual machine (`crate::camera_vm`).
pub static MACHINES: Lane = Lane(Mutex::new(()));

/// The number of tests that are running. A test that waits for its lane does not count.
static RUNNING: Mutex<usize> = Mutex::new(0);

/// Notified when a test ends.
static ENDED: Condvar = Condvar::new();

/// Counts as a running test until it is dropped.
struct Running;

impl Running {
    /// Waits until fewer tests than the limit are running.
    fn start() -> Self {
        let limit = most_running();
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let running = ENDED.wait_while(running, |running| *running >= limit);
        *running.unwrap_or_else(PoisonError::into_inner) += 1;
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_one();
    }
}

/// The largest number of tests that run at the same time.
pub fn most_running() -> usize {
    TESTS_PER_PROCESSOR * thread::available_parallelism().map_or(1, NonZero::get)
}

/// Creates a test. It is ignored if tools are missing, and its output line names them: `test [needs TOOL, TOOL] NAME`.
pub fn trial(name: &str, missing: &Option<String>, test: impl FnOnce() + Send + 'static) -> Trial {
    create(name, missing, None, test)
}

/// Like [`trial`], for a test that belongs to a lane.
pub fn trial_in(
    lane: &'static Lane,
    name: &str,
    missing: &Option<String>,
    test: impl FnOnce() + Send + 'static,
) -> Trial {
    create(name, missing, Some(lane), test)
}

fn create(
    name: &str,
    missing: &Option<String>,
    lane: Option<&'static Lane>,
    test: impl FnOnce() + Send + 'static,
) -> Trial {
    let trial = Trial::test(name, move || {
        let _lane = lane.map(|lane| lane.0.lock().unwrap_or_else(PoisonError::into_inner));
        let _running = Running::start();
        test();
        Ok(())
    });
    match missing {
        Some(missing) => trial.with_kind(format!("needs {missing}")).with_ignored_flag(true),
        None => trial,
    }
}

/// Lists the programs that are not installed, separated by commas. Returns `None` if all are installed.
pub fn missing_programs(names: &[&str]) -> Option<String> {
    let missing: Vec<_> = names.iter().filter(|name| !program::exists(name)).copied().collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// Like [`missing_programs`], for tests that only root can run.
pub fn missing_as_root(programs: &[&str]) -> Option<String> {
    let is_root = rustix::process::geteuid().is_root();
    let missing: Vec<_> = missing_programs(programs).into_iter().chain((!is_root).then(|| "root".to_owned())).collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// Runs a command until it exits. Panics if it fails.
#[track_caller]
pub fn run_successfully(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}
