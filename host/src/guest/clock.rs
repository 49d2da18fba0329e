//! The clock that interrupts guests which compute: it advances the epoch of the engine that they run in.
//!
//! A tick wakes a thread, and a server with few viewers would spend more on a hundred of them a second than on all
//! else. So it ticks seldom while no guest is found at work, and not at all while none is entered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::Engine;

/// The time between two epochs while a guest computes: how long it may before other tasks get a turn. Ten times a
/// frame at 30 a second, it would be seen as a stutter; a tenth, it would cost more than it gains.
const TICK: Duration = Duration::from_millis(10);

/// The time between two epochs while guests are entered and leave again before they are found at work: the longest that
/// one can compute before the clock takes notice.
const SLOW_TICK: Duration = Duration::from_millis(50);

/// After so many slow ticks without any guest having been entered, the clock stops.
const QUIET_TICKS: u32 = 10;

/// A running clock. Dropping it ends its thread.
pub(super) struct Clock {
    watch: Watch,
    thread: JoinHandle<()>,
}

/// Tells the clock that guests are entered and left. Clones are the same.
#[derive(Clone)]
pub(super) struct Watch {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Guests that are at work.
    inside: AtomicUsize,
    /// How often one was entered.
    entered: AtomicUsize,
    /// The thread waits to be woken by the next one.
    stopped: AtomicBool,
    ended: AtomicBool,
    thread: std::sync::OnceLock<thread::Thread>,
}

impl Clock {
    /// Start it for this engine.
    pub(super) fn start(engine: &Engine) -> std::io::Result<Self> {
        let watch = Watch { state: Arc::default() };
        let state = watch.state.clone();
        let engine = engine.weak();
        let thread = thread::Builder::new().name("guest-clock".to_owned()).spawn(move || {
            // Set before anyone can wait for a wake from it: it is this thread that waits.
            let _ = state.thread.set(thread::current());
            let mut quiet = 0;
            let mut seen = 0;
            while !state.ended.load(Ordering::SeqCst) {
                let is_inside = state.inside.load(Ordering::SeqCst) > 0;
                thread::sleep(if is_inside { TICK } else { SLOW_TICK });
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
                let entered = state.entered.load(Ordering::SeqCst);
                quiet = if is_inside || entered != seen { 0 } else { quiet + 1 };
                seen = entered;
                if quiet >= QUIET_TICKS {
                    state.stop(seen);
                    quiet = 0;
                }
            }
        })?;
        Ok(Self { watch, thread })
    }

    /// What guests are entered with.
    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.watch.state.ended.store(true, Ordering::SeqCst);
        self.thread.thread().unpark();
    }
}

impl State {
    /// Wait until a guest is entered, unless one was since `seen`.
    fn stop(&self, seen: usize) {
        self.stopped.store(true, Ordering::SeqCst);
        // Whoever enters counts first and looks for `stopped` then; we set `stopped` first and look at the count then.
        // So at least one of the two sees the other.
        while self.stopped.load(Ordering::SeqCst)
            && self.entered.load(Ordering::SeqCst) == seen
            && !self.ended.load(Ordering::SeqCst)
        {
            thread::park();
        }
        self.stopped.store(false, Ordering::SeqCst);
    }
}

impl Watch {
    /// A guest is at work until what is returned is dropped.
    pub(super) fn enter(&self) -> Inside<'_> {
        let state = &*self.state;
        state.inside.fetch_add(1, Ordering::SeqCst);
        state.entered.fetch_add(1, Ordering::SeqCst);
        if state.stopped.load(Ordering::SeqCst)
            && state.stopped.swap(false, Ordering::SeqCst)
            && let Some(thread) = state.thread.get()
        {
            thread.unpark();
        }
        Inside { state }
    }
}

/// A guest at work.
pub(super) struct Inside<'a> {
    state: &'a State,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.state.inside.fetch_sub(1, Ordering::SeqCst);
    }
}
