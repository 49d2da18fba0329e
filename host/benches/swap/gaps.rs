//! Measures what fifty viewers miss while the guest is replaced twenty times.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hotshoe_test_support::client::Viewer;
use hotshoe_test_support::pictures;
use hotshoe_test_support::server::Server;

const VIEWERS: usize = 50;
const SWAPS: usize = 20;
const RATE: u32 = 30;
/// Enough that no picture repeats within any gap.
const PICTURES: u32 = 600;
/// The time between two swaps.
const PERIOD: Duration = Duration::from_millis(500);

/// Prints how many frames the viewers missed, without swaps and with them.
pub fn table(mut new_component: impl FnMut() -> Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), PICTURES, 0);
    let camera = format!("emulated:{},fps={RATE}", folder.path().display());
    // Without a cache, each guest is compiled as a whole.
    let server = Server::start(&["--camera", &camera, "--drain", "1", "--no-cache"]);
    println!("\n{VIEWERS} viewers of {RATE} fps.\n");
    println!("| | frames | missed | longest gap, frames |");
    println!("| --- | --- | --- | --- |");
    let undisturbed = watch(&server, || (0..SWAPS).for_each(|_| thread::sleep(PERIOD)));
    row("no swap", &undisturbed);
    let swapped = watch(&server, || {
        for _ in 0..SWAPS {
            assert_eq!(server.put_guest(&new_component()).status, 200);
            thread::sleep(PERIOD);
        }
    });
    row(&format!("{SWAPS} swaps"), &swapped);
}

/// Watches with all viewers while `action` runs. Returns the differences between the numbers of successive frames.
fn watch(server: &Server, action: impl FnOnce()) -> Vec<u32> {
    let stop = AtomicBool::new(false);
    let mut viewers: Vec<_> = (0..VIEWERS).map(|_| Viewer::watch(server.address, "/video_feed")).collect();
    thread::scope(|scope| {
        let stop = &stop;
        let watchers: Vec<_> = viewers.iter_mut().map(|viewer| scope.spawn(move || steps(viewer, stop))).collect();
        action();
        stop.store(true, Ordering::Relaxed);
        watchers.into_iter().flat_map(|watcher| watcher.join().unwrap()).collect()
    })
}

fn steps(viewer: &mut Viewer, stop: &AtomicBool) -> Vec<u32> {
    let mut steps = Vec::new();
    let mut last = pictures::number(&viewer.part().jpeg);
    while !stop.load(Ordering::Relaxed) {
        let number = pictures::number(&viewer.part().jpeg);
        steps.push((number + PICTURES - last) % PICTURES);
        last = number;
    }
    steps
}

fn row(name: &str, steps: &[u32]) {
    let missed: u32 = steps.iter().map(|step| step.saturating_sub(1)).sum();
    let longest = steps.iter().max().unwrap_or(&0);
    println!("| {name} | {} | {missed} | {longest} |", steps.len());
}
