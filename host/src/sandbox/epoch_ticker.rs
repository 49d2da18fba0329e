//! The clock that interrupts guests which compute: it advances the epoch of the engine that they run in.
//!
//! It runs on the processor time of this program, not on the wall's. A guest that computes takes processor time; a
//! server that waits for the next frame takes none, and is not woken. A clock on the wall costs a server with one viewer
//! more than all else that it does.

use std::thread;
use std::time::Duration;

use rustix::thread::{ClockId, NanosleepRelativeResult, clock_nanosleep_relative};
use rustix::time::Timespec;
use wasmtime::Engine;

/// The time between two epochs, in processor time of all threads together. A guest may compute for two of them, if it is
/// alone, before other tasks get a turn. Ten times as long would be seen as a stutter; a tenth would cost more than it
/// gains. Linux looks at such clocks at its own ticks only, of 1 to 10 ms.
const TICK: Duration = Duration::from_millis(10);

/// Start the clock of this engine, in a thread that ends with the first tick after the engine is gone.
pub(super) fn start(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    thread::Builder::new().name("guest-clock".to_owned()).spawn(move || {
        loop {
            compute(TICK);
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
        }
    })?;
    Ok(())
}

/// Wait until this program has computed for so long, or less if a signal comes.
fn compute(duration: Duration) {
    let slept =
        Timespec::try_from(duration).map(|duration| clock_nanosleep_relative(ClockId::ProcessCPUTime, &duration));
    // A kernel that was built without POSIX timers has no such clock. Without a pause this thread would spin then.
    if !matches!(slept, Ok(NanosleepRelativeResult::Ok | NanosleepRelativeResult::Interrupted(_))) {
        thread::sleep(duration);
    }
}
