//! Advances the engine's epoch, which interrupts guests that compute for too long.
//!
//! The ticks follow this process's CPU time, not wall-clock time. While a guest computes, CPU time passes. While the
//! server waits for the next frame, no CPU time passes, and the thread sleeps. With wall-clock ticks, waking this
//! thread would cost a server with one viewer more than everything else it does.

use std::thread;
use std::time::Duration;

use rustix::thread::{ClockId, NanosleepRelativeResult, clock_nanosleep_relative};
use rustix::time::Timespec;
use wasmtime::Engine;

/// The length of an epoch, in CPU time of all threads together. A guest that runs alone computes for at most two epochs
/// before other tasks get a turn. Ten times this length would be visible as stutter; a tenth would cost more than it
/// gains. Linux checks CPU-time clocks only at its own timer ticks, every 1 to 10 ms.
const TICK: Duration = Duration::from_millis(10);

/// Starts the thread that advances the epoch. It ends at the first tick after the engine was dropped.
pub(super) fn start(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    thread::Builder::new().name("guest-clock".to_owned()).spawn(move || {
        loop {
            sleep_cpu_time(TICK);
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
        }
    })?;
    Ok(())
}

/// Sleeps until this process has used `duration` of CPU time, or until a signal arrives.
fn sleep_cpu_time(duration: Duration) {
    let slept =
        Timespec::try_from(duration).map(|duration| clock_nanosleep_relative(ClockId::ProcessCPUTime, &duration));
    // Kernels without POSIX timers have no such clock. Sleep anyway, or this thread would spin.
    if !matches!(slept, Ok(NanosleepRelativeResult::Ok | NanosleepRelativeResult::Interrupted(_))) {
        thread::sleep(duration);
    }
}
