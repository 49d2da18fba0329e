//! Swaps of the guest and faults of the camera.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::fakecam::Control;
use hotshoe_test_support::guests;
use hotshoe_test_support::random::Random;
use hotshoe_test_support::server::Server;

use crate::counters::{Counters, increment};

/// The time between two swaps.
const SWAP_PERIOD: Duration = Duration::from_secs(8);
/// The duration of a fault, and the time between two faults.
const FAULT_PERIOD: Duration = Duration::from_secs(5);

const FAULTS: [&str; 7] = [
    "FAKECAM_UNPLUGGED=1\n",
    "FAKECAM_STALLED=1\n",
    "FAKECAM_CORRUPT_EVERY=3\nFAKECAM_TRUNCATE_EVERY=5\n",
    "FAKECAM_ERROR_EVERY=2\nFAKECAM_EMPTY_EVERY=7\n",
    "FAKECAM_RATE=3\n",
    "FAKECAM_FAIL=DQBUF=EIO\n",
    "FAKECAM_FAIL=STREAMON=EBUSY,OPEN=EACCES:2\n",
];

/// Replaces the guest again and again: by working guests, by guests that fail at every request, and by invalid files.
pub fn replace_guests(server: &Server, counters: &Counters, stop: &AtomicBool) {
    let working = guests::built_in();
    let broken = [guests::TRAPS, guests::RETURNS_WITHOUT_ANSWER, guests::BREAKS_OFF].map(guests::serving);
    let mut random = Random::new(7);
    // Five variants, so that most of them are in the compile cache.
    for number in 0.. {
        wait(SWAP_PERIOD, stop);
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match random.below(4) {
            0 => drop(server.put_guest(&broken[random.below(3) as usize])),
            1 => drop(server.put_guest(&working[..random.below(working.len() as u64) as usize])),
            _ => drop(server.put_guest(&guests::variant(&working, number % 5))),
        }
        increment(&counters.swaps);
    }
    assert_eq!(server.put_guest(&working).status, 200, "{}", server.log());
}

/// Injects one fault into the camera after the other.
pub fn disturb_camera(control: &Control, counters: &Counters, stop: &AtomicBool) {
    let mut random = Random::new(8);
    while !stop.load(Ordering::Relaxed) {
        wait(FAULT_PERIOD, stop);
        control.set(random.choose(&FAULTS));
        increment(&counters.faults);
        wait(FAULT_PERIOD, stop);
        control.set("");
    }
}

/// Sleeps, but returns early when `stop` is set.
fn wait(duration: Duration, stop: &AtomicBool) {
    let end = Instant::now() + duration;
    while Instant::now() < end && !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(100));
    }
}
