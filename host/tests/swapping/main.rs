//! Fifty viewers watch while the guest is replaced sixty times. A separate test program, so that no other test runs at
//! the same time and affects the viewers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests fail by panicking, and this one prints what it measured"
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
/// Half of them take longer to play than any possible gap.
const PICTURES: u32 = 600;

/// Watches until `stop` is set. Panics if the stream ends. Returns the number of frames.
fn watch(address: SocketAddr, stop: Arc<AtomicBool>) -> JoinHandle<u32> {
    let mut viewer = Viewer::watch(address, "/video_feed");
    let mut last = pictures::number(&viewer.part().jpeg);
    thread::spawn(move || {
        let mut frames = 0;
        while !stop.load(Ordering::Relaxed) {
            // Panics at an incomplete part, and at the end of the stream.
            let number = pictures::number(&viewer.part().jpeg);
            // How many frames are skipped depends on the machine. No frame follows a newer one, but a new publisher
            // starts with the newest frame, which the old one may have sent already.
            let step = (number + PICTURES - last) % PICTURES;
            assert!(step < PICTURES / 2, "{number} came after {last}");
            frames += u32::from(step != 0);
            last = number;
        }
        frames
    })
}

/// Requests the page and a snapshot until `stop` is set. Returns the number of requests.
fn send_requests(address: SocketAddr, stop: Arc<AtomicBool>) -> JoinHandle<u32> {
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
fn fifty_viewers_do_not_notice_sixty_swaps() {
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
    let requests = send_requests(server.address, stop.clone());
    let capture = server.capture_thread_ids();
    assert_eq!(capture.len(), 1);

    let mut generation = 1;
    let mut swap = |offer: &dyn Fn(&[u8])| {
        generation += 1;
        // A new component each time, so it is not cached.
        offer(&guests::variant(&built_in, generation));
        server.wait_for_log(&format!("generation {generation}: "));
    };
    let drained = || wait_until("old generations have ended", || server.generations()["draining"] == json!([]));
    let rename = |component: &[u8]| {
        let new = builds.path().join("new");
        fs::write(&new, component).unwrap();
        fs::rename(new, &file).unwrap();
    };

    let put = |component: &[u8]| assert_eq!(server.put_guest(component).status, 200);
    (0..SWAPS).for_each(|_| swap(&put));
    drained();
    let memory = server.memory_kib();
    (0..SWAPS).for_each(|_| swap(&rename));
    drained();
    // The file is watched as well. Either the signal is faster, or it finds the guest replaced already.
    let hangup = |component: &[u8]| {
        rename(component);
        server.signal(Signal::HUP);
    };
    (0..SWAPS).for_each(|_| swap(&hangup));
    drained();
    // Forty leaked guests of 200 KiB each would be 8,000 KiB. Free memory returns to the system after a while.
    let grown = || server.memory_kib().saturating_sub(memory);
    wait_until("the memory of forty guests is returned", || grown() < 4000);

    assert_eq!(server.capture_thread_ids(), capture, "the capture thread was not restarted");
    stop.store(true, Ordering::Relaxed);
    assert!(requests.join().unwrap() > SWAPS);
    let frames: u32 = viewers.into_iter().map(|viewer| viewer.join().unwrap()).sum();
    println!("{frames} frames");
}
