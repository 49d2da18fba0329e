//! Tests that are ignored if this machine lacks a tool.

use std::num::NonZero;
use std::process::{Command, Output};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use hotshoe_conformance::program;
use libtest_mimic::Trial;

/// How many tests run at the same time for each processor. Most of them wait: for a camera, a client or a timeout.
const TESTS_PER_PROCESSOR: usize = 2;

/// How many tests of lanes run at the same time if there are processors without a test. Each may keep several busy.
const MOST_IN_LANES: usize = 2;

/// Tests that keep all processors busy. Those of the same lane run one after the other, beside other tests. So the load
/// of the machine has a limit, and everything else meets its deadlines. Only when too few others are left for all
/// processors do they run at the same time.
#[derive(Clone, Copy, Debug)]
pub enum Lane {
    /// Tests that build and compile guests for a minute or more.
    Compilers,
    /// Tests that run a virtual machine (`crate::camera_vm`).
    Machines,
}

/// The tests that are running.
struct Running {
    all: usize,
    /// Those of each lane.
    in_lane: [usize; 2],
    /// Whether a test has ended. Before that, most have not started yet.
    has_one_ended: bool,
}

static RUNNING: Mutex<Running> = Mutex::new(Running { all: 0, in_lane: [0; 2], has_one_ended: false });

/// Notified when a test ends.
static ENDED: Condvar = Condvar::new();

/// Counts as a running test until it is dropped.
struct Started {
    lane: Option<Lane>,
}

impl Started {
    /// Waits until this test may run.
    fn wait(lane: Option<Lane>) -> Self {
        let (most, processors) = (most_running(), processors());
        let must_wait = |running: &mut Running| {
            let is_lane_busy = lane.is_some_and(|lane| running.in_lane[lane as usize] > 0);
            if is_lane_busy {
                let in_lanes: usize = running.in_lane.iter().sum();
                in_lanes >= MOST_IN_LANES || running.all >= processors || !running.has_one_ended
            } else {
                running.all >= most
            }
        };
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = ENDED.wait_while(running, must_wait).unwrap_or_else(PoisonError::into_inner);
        running.all += 1;
        if let Some(lane) = lane {
            running.in_lane[lane as usize] += 1;
        }
        Self { lane }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.all -= 1;
        running.has_one_ended = true;
        if let Some(lane) = self.lane {
            running.in_lane[lane as usize] -= 1;
        }
        ENDED.notify_all();
    }
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// The largest number of tests that run at the same time.
pub fn most_running() -> usize {
    TESTS_PER_PROCESSOR * processors()
}

/// Creates a test. It is ignored if tools are missing, and its output line names them: `test [needs TOOL, TOOL] NAME`.
pub fn trial(name: &str, missing: &Option<String>, test: impl FnOnce() + Send + 'static) -> Trial {
    create(name, missing, None, test)
}

/// Like [`trial`], for a test that belongs to a lane.
pub fn trial_in(lane: Lane, name: &str, missing: &Option<String>, test: impl FnOnce() + Send + 'static) -> Trial {
    create(name, missing, Some(lane), test)
}

fn create(name: &str, missing: &Option<String>, lane: Option<Lane>, test: impl FnOnce() + Send + 'static) -> Trial {
    let trial = Trial::test(name, move || {
        let _started = Started::wait(lane);
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
