//! An hour of everything at once, after which memory and descriptors must be what they were.
//!
//! ```sh
//! cargo bench --bench soak          # an hour
//! cargo bench --bench soak -- 5     # five minutes
//! ```
//!
//! Viewers come and go, some of them slow, some of them without a word; others ask for pages, snapshots and logs, or
//! send bytes that are no requests (`clients`). Meanwhile the guest is replaced by good and broken ones, and the camera
//! is unplugged, stalls and sends damaged frames (`disturbances`). All of it is on the loopback interface, and bounded.
//!
//! Once a minute a line is printed. After the first minute, and at the end, all clients leave; then the server has to
//! be at rest: as many descriptors as when it was started, and no more memory at the end than after the first minute,
//! but for a tolerance.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that says what is wrong by panicking, and prints"
)]

mod clients;
mod counts;
mod disturbances;
mod random;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::fakecam::{self, Control};
use hotshoe_test_support::server::{Server, command};
use hotshoe_test_support::wait_until;

use self::counts::Counts;

const DEFAULT_MINUTES: u64 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// How long memory may take to be returned after the clients have left.
const RETURNED_WITHIN: Duration = Duration::from_secs(60);

/// What the server may keep more at the end than after the first minute, in KiB: caches fill, the heap fragments.
const TOLERANCE_KIB: u64 = 16 * 1024;

/// The most guests that are kept at a time: the one that serves, those to go back to, and one or two that drain.
const MAX_IMAGES: usize = 8;

fn main() {
    // cargo adds `--bench`.
    let minutes = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let minutes = minutes.map_or(DEFAULT_MINUTES, |minutes| minutes.parse().expect("a number of minutes")).max(2);
    let control = Control::new();
    let server = start(&control);
    let idle = descriptors(&server).len();
    println!("{minutes} minutes; started with {} MiB, {idle} descriptors", server.memory_kib() / 1024);

    let counts = Counts::default();
    load(&server, &control, &counts, 0..1);
    let before = rest(&server, &control, idle, u64::MAX);
    load(&server, &control, &counts, 1..minutes);
    let after = rest(&server, &control, idle, before + TOLERANCE_KIB);

    println!("at rest: {} MiB after the first minute, {} MiB at the end", before / 1024, after / 1024);
    assert!(after <= before + TOLERANCE_KIB, "memory grew from {before} to {after} KiB");
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
    works(&server);
    println!("passed");
}

/// A V4L2 camera and an emulated one.
fn start(control: &Control) -> Server {
    let mut command = command();
    if fakecam::missing().is_none() {
        fakecam::preload(&mut command, &[("FAKECAM_CTL", control.path())]);
        command.args(["--camera", "front=/dev/video0"]);
    } else {
        command.args(["--camera", "front=emulated,fps=30"]);
    }
    command.args(["--camera", "yard=emulated,fps=10", "--linger", "0.2", "--drain", "0.5", "--allow-control"]);
    let server = Server::start_command(command);
    works(&server);
    wait_until("no camera is open", || server.capture_threads() == 0);
    server
}

/// The page, a snapshot and a stream of each camera.
fn works(server: &Server) {
    assert_eq!(get(server.address, "/").status, 200);
    for camera in ["front", "yard"] {
        wait_until("a snapshot is there", || get(server.address, &format!("/snapshot/{camera}")).status == 200);
        let mut viewer = Viewer::watch(server.address, &format!("/video_feed/{camera}"));
        (0..10).for_each(|_| drop(viewer.part()));
    }
}

/// Puts the server under load for these minutes, and prints a line for each.
fn load(server: &Server, control: &Control, counts: &Counts, minutes: std::ops::Range<u64>) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        clients::spawn(scope, server.address, counts, &stop);
        scope.spawn(|| disturbances::replace_guests(server, counts, &stop));
        scope.spawn(|| disturbances::disturb_camera(control, counts, &stop));
        let start = Instant::now();
        for minute in minutes.clone() {
            let end = start + MINUTE * u32::try_from(minute + 1 - minutes.start).unwrap();
            thread::sleep(end.saturating_duration_since(Instant::now()));
            println!(
                "minute {}: {counts}; {} MiB, {} descriptors, {} threads",
                minute + 1,
                server.memory_kib() / 1024,
                descriptors(server).len(),
                server.threads().len()
            );
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// What the server's descriptors are, without the memory images of guests, of which each that is kept has one.
fn descriptors(server: &Server) -> Vec<PathBuf> {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    // One may be closed meanwhile.
    let all = descriptors.filter_map(|descriptor| std::fs::read_link(descriptor.ok()?.path()).ok());
    let (images, others): (Vec<_>, Vec<_>) = all.partition(|path| path.to_string_lossy().contains("wasm-memory-image"));
    assert!(images.len() <= MAX_IMAGES, "{} guests are kept", images.len());
    others
}

/// Waits until the server is at rest. Returns its memory in KiB, if possible at most `limit`.
fn rest(server: &Server, control: &Control, idle: usize, limit: u64) -> u64 {
    control.set("");
    wait_until("no camera is open", || server.capture_threads() == 0);
    let deadline = Instant::now() + RETURNED_WITHIN;
    while descriptors(server).len() > idle {
        assert!(Instant::now() < deadline, "more than {idle} descriptors: {:?}", descriptors(server));
        thread::sleep(Duration::from_millis(100));
    }
    let deadline = Instant::now() + RETURNED_WITHIN;
    let mut least = server.memory_kib();
    while Instant::now() < deadline && (limit == u64::MAX || least > limit) {
        thread::sleep(Duration::from_secs(1));
        least = least.min(server.memory_kib());
    }
    least
}
