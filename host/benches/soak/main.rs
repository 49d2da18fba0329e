//! A soak test: after an hour under load, the server must use no more memory and open files than before.
//!
//! ```sh
//! cargo bench --bench soak          # an hour
//! cargo bench --bench soak -- 5     # five minutes
//! ```
//!
//! Viewers come and go; some are slow, some stop reading. Other clients request pages, snapshots and logs, or send
//! invalid requests (`clients`). Meanwhile, working and broken guests replace each other, and the camera is unplugged,
//! stalls and delivers damaged frames (`disturbances`). All clients run on this machine, and their number is fixed.
//!
//! The test prints a line per minute. After the first minute and at the end, all clients leave. Then the server must
//! have no more open files than after its start, and at the end no more memory than after the first minute, apart from
//! a tolerance.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "the test fails by panicking, and prints its progress"
)]

mod clients;
mod counters;
mod disturbances;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::fakecam::{self, Control};
use hotshoe_test_support::server::{Server, command};
use hotshoe_test_support::wait_until;

use self::counters::Counters;

const DEFAULT_MINUTES: u64 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// How long the server may take to release resources after the clients have left.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(60);

/// The allowed growth of memory after the first minute, in KiB, for caches and fragmentation of the heap.
const TOLERANCE_KIB: u64 = 16 * 1024;

/// The largest number of loaded guests: the current one, those kept for a rollback, and one or two that drain.
const MAX_LOADED_GUESTS: usize = 8;

fn main() {
    // Skip the option `--bench`, which cargo adds.
    let minutes = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let minutes = minutes.map_or(DEFAULT_MINUTES, |minutes| minutes.parse().expect("a number of minutes")).max(2);
    let control = Control::new();
    let server = start(&control);
    let idle = open_files(&server).len();
    println!("{minutes} minutes; at the start: {} MiB, {idle} open files", server.memory_kib() / 1024);

    let counters = Counters::default();
    load(&server, &control, &counters, 0..1);
    let before = wait_until_idle(&server, &control, idle, u64::MAX);
    load(&server, &control, &counters, 1..minutes);
    let after = wait_until_idle(&server, &control, idle, before + TOLERANCE_KIB);

    println!("idle: {} MiB after the first minute, {} MiB at the end", before / 1024, after / 1024);
    assert!(after <= before + TOLERANCE_KIB, "memory grew from {before} to {after} KiB");
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
    check_server(&server);
    println!("passed");
}

/// Starts a server with a V4L2 camera, where possible, and an emulated one.
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
    check_server(&server);
    wait_until("no camera is open", || server.capture_threads() == 0);
    server
}

/// Checks the page, and a snapshot and a stream of each camera.
fn check_server(server: &Server) {
    assert_eq!(get(server.address, "/").status, 200);
    for camera in ["front", "yard"] {
        wait_until("a snapshot is available", || get(server.address, &format!("/snapshot/{camera}")).status == 200);
        let mut viewer = Viewer::watch(server.address, &format!("/video_feed/{camera}"));
        (0..10).for_each(|_| drop(viewer.part()));
    }
}

/// Runs the clients and disturbances for these minutes, and prints a line for each minute.
fn load(server: &Server, control: &Control, counters: &Counters, minutes: std::ops::Range<u64>) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        clients::spawn(scope, server.address, counters, &stop);
        scope.spawn(|| disturbances::replace_guests(server, counters, &stop));
        scope.spawn(|| disturbances::disturb_camera(control, counters, &stop));
        let start = Instant::now();
        for minute in minutes.clone() {
            let end = start + MINUTE * u32::try_from(minute + 1 - minutes.start).unwrap();
            thread::sleep(end.saturating_duration_since(Instant::now()));
            println!(
                "minute {}: {counters}; {} MiB, {} open files, {} threads",
                minute + 1,
                server.memory_kib() / 1024,
                open_files(server).len(),
                server.threads().len()
            );
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Lists the server's open files, except the memory images of loaded guests, of which each guest has one.
fn open_files(server: &Server) -> Vec<PathBuf> {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    // Descriptors may be closed while they are listed.
    let all = descriptors.filter_map(|descriptor| std::fs::read_link(descriptor.ok()?.path()).ok());
    let (images, others): (Vec<_>, Vec<_>) = all.partition(|path| path.to_string_lossy().contains("wasm-memory-image"));
    assert!(images.len() <= MAX_LOADED_GUESTS, "{} guests are loaded", images.len());
    others
}

/// Waits until the server has at most `idle` open files and, if possible, uses at most `limit` KiB of memory. Returns
/// its memory in KiB.
fn wait_until_idle(server: &Server, control: &Control, idle: usize, limit: u64) -> u64 {
    control.set("");
    wait_until("no camera is open", || server.capture_threads() == 0);
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    while open_files(server).len() > idle {
        assert!(Instant::now() < deadline, "more than {idle} open files: {:?}", open_files(server));
        thread::sleep(Duration::from_millis(100));
    }
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    let mut minimum = server.memory_kib();
    while Instant::now() < deadline && (limit == u64::MAX || minimum > limit) {
        thread::sleep(Duration::from_secs(1));
        minimum = minimum.min(server.memory_kib());
    }
    minimum
}
