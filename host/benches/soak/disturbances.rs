//! What happens to the server meanwhile: new guests, and faults of the camera.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::fakecam::Control;
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;

use crate::counts::{Counts, count};
use crate::random::Random;

/// Between two guests.
const SWAP_PERIOD: Duration = Duration::from_secs(8);
/// Between two faults, and as long as each lasts.
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

/// Puts one guest after the other: good ones, some that fail at every request, and some that are no guests at all.
pub fn replace_guests(server: &Server, counts: &Counts, stop: &AtomicBool) {
    let good = guests::built_in();
    let broken = [guests::TRAPS, guests::RETURNS_WITHOUT_ANSWER, guests::BREAKS_OFF].map(guests::serving);
    let mut random = Random::new(7);
    // Each good one is compiled; of a few, most are found in the cache.
    for number in 0.. {
        wait(SWAP_PERIOD, stop);
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match random.below(4) {
            0 => drop(server.put_guest(&broken[random.below(3) as usize])),
            1 => drop(server.put_guest(&good[..random.below(good.len() as u64) as usize])),
            _ => drop(server.put_guest(&guests::variant(&good, number % 5))),
        }
        count(&counts.swaps);
    }
    assert_eq!(server.put_guest(&good).status, 200, "{}", server.log());
}

/// Lets one fault of the camera follow the other.
pub fn disturb_camera(control: &Control, counts: &Counts, stop: &AtomicBool) {
    let mut random = Random::new(8);
    while !stop.load(Ordering::Relaxed) {
        wait(FAULT_PERIOD, stop);
        control.set(random.choice(&FAULTS));
        count(&counts.faults);
        wait(FAULT_PERIOD, stop);
        control.set("");
    }
}

fn wait(time: Duration, stop: &AtomicBool) {
    let until = Instant::now() + time;
    while Instant::now() < until && !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(100));
    }
}
