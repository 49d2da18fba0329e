//! Fifty viewers, while their guest is replaced sixty times. A program of its own, so that no other test runs at
//! the same time: it is about what a swap costs the viewers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what is wrong by panicking, and what it measured"
)]

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{guests, pictures, wait_until};
use rustix::process::Signal;
use serde_json::json;

const VIEWERS: usize = 50;
const SWAPS: u32 = 20;
const RATE: u32 = 30;
/// So many that half of them take longer than any gap could be.
const PICTURES: u32 = 600;

/// Watches until told to stop. The stream must not end. Returns the number of frames.
fn watch(address: SocketAddr, stop: Arc<AtomicBool>) -> JoinHandle<u32> {
    let mut viewer = Viewer::watch(address, "/video_feed");
    let mut last = pictures::number(&viewer.part().jpeg);
    thread::spawn(move || {
        let mut frames = 0;
        while !stop.load(Ordering::Relaxed) {
            // Panics at a torn part, and at the end.
            let number = pictures::number(&viewer.part().jpeg);
            // How many frames are left out depends on the machine. None comes after a newer one; but a new publisher
            // begins with the newest frame, which the one before may have sent.
            let step = (number + PICTURES - last) % PICTURES;
            assert!(step < PICTURES / 2, "{number} came after {last}");
            frames += u32::from(step != 0);
            last = number;
        }
        frames
    })
}

/// Ask for the page and a snapshot, again and again. Returns how often.
fn ask(address: SocketAddr, stop: Arc<AtomicBool>) -> JoinHandle<u32> {
    thread::spawn(move || {
        let mut requests = 0;
        while !stop.load(Ordering::Relaxed) {
            for path in ["/", "/snapshot"] {
                assert_eq!(get(address, path).status, 200, "{path}");
                requests += 1;
            }
            thread::sleep(Duration::from_millis(20));
        }
        requests
    })
}

#[test]
fn fifty_viewers_see_nothing_of_sixty_swaps() {
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), PICTURES, 0);
    let builds = tempfile::tempdir().unwrap();
    let file = builds.path().join("guest.wasm");
    let built_in = guests::built_in();
    fs::write(&file, &built_in).unwrap();
    let camera = format!("emulated:{},fps={RATE}", folder.path().display());
    let server = Server::start(&[
        "--camera",
        &camera,
        "--guest",
        file.to_str().unwrap(),
        "--watch",
        "--drain",
        "1",
        "--no-cache",
    ]);
    let stop = Arc::new(AtomicBool::new(false));
    let viewers: Vec<_> = (0..VIEWERS).map(|_| watch(server.address, stop.clone())).collect();
    let asking = ask(server.address, stop.clone());
    let capture = server.capture_thread_numbers();
    assert_eq!(capture.len(), 1);

    let mut generation = 1;
    let mut swap = |offer: &dyn Fn(&[u8])| {
        generation += 1;
        // A component that was never seen before, so each is compiled.
        offer(&guests::variant(&built_in, generation));
        server.wait_for_log(&format!("generation {generation}: "));
    };
    let drained = || wait_until("old generations are gone", || server.generations()["draining"] == json!([]));
    let rename = |component: &[u8]| {
        let beside = builds.path().join("new");
        fs::write(&beside, component).unwrap();
        fs::rename(beside, &file).unwrap();
    };

    let put = |component: &[u8]| assert_eq!(server.put_guest(component).status, 200);
    (0..SWAPS).for_each(|_| swap(&put));
    drained();
    let memory = server.memory_kib();
    (0..SWAPS).for_each(|_| swap(&rename));
    drained();
    // The watched file changes too, but it is the signal that is faster, or finds the work done.
    let hangup = |component: &[u8]| {
        rename(component);
        server.signal(Signal::HUP);
    };
    (0..SWAPS).for_each(|_| swap(&hangup));
    drained();
    // Forty guests of 200 KiB each would be 8,000. What is only free memory goes back to the system after a while.
    let grown = || server.memory_kib().saturating_sub(memory);
    wait_until("the memory of forty guests is free again", || grown() < 4000);

    assert_eq!(server.capture_thread_numbers(), capture, "the camera was captured without a break");
    stop.store(true, Ordering::Relaxed);
    assert!(asking.join().unwrap() > SWAPS);
    let frames: u32 = viewers.into_iter().map(|viewer| viewer.join().unwrap()).sum();
    println!("{frames} frames");
}
