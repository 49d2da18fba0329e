//! One viewer that reads slowly: how old its pictures are, and whether the other viewers notice.
//!
//! `raw` does not limit the unsent bytes in the kernel, and shows the effect of that.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::load::{Load, PATH, Viewer, percentile};

use super::figures::{Rounds, milliseconds};
use super::servers::{HOTSHOE, HYPER, RATE, SERVERS, fill, start};
use super::{ROUNDS, Selection};

/// Frame size in bytes.
const SIZE: usize = 100_000;
const OTHERS: usize = 49;

/// The rate of the slow viewer: a sixth of the stream's.
const BYTES_PER_SECOND: usize = 500_000;
/// How often it reads. A network link does not deliver a frame at once either.
const READ_INTERVAL: Duration = Duration::from_millis(5);
/// The most bytes that it reads at once after a pause.
const BURST: usize = 10_000;
/// Its receive buffer in bytes. Without a limit the kernel would let it grow, and bytes in it become as old as bytes in
/// the server, which cannot do anything about that.
const RECEIVE_BUFFER: usize = 64 << 10;

const WARM_UP: Duration = Duration::from_secs(2);
const WINDOW: Duration = Duration::from_secs(5);

/// The measurements of one server in one round.
struct Cell {
    /// The lowest rate among the other viewers, in frames per second.
    others_rate: f64,
    /// The latency of the other viewers beside the slow one.
    p99_with: Duration,
    p99_without: Duration,
    /// How old each of the slow viewer's pictures was when it was complete.
    ages: Vec<Duration>,
}

pub fn table(_: &Selection) {
    println!(
        "One of {} viewers reads {} kB per second of frames of {} kB at {RATE} fps; medians of {ROUNDS} rounds. Goal: its \
         pictures are at most 0.7 s old.\n",
        OTHERS + 1,
        BYTES_PER_SECOND / 1000,
        SIZE / 1000
    );
    println!(
        "| server | slowest of the others, fps | their p99 | without the slow one | ratio | the slow one's fps | age of its pictures | oldest |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), SIZE);
    let servers = &SERVERS[..=HOTSHOE];
    let rounds = Rounds::measure(ROUNDS, servers, HYPER, |server| measure(server, folder.path()));
    let median_age = |cell: &Cell| percentile(cell.ages.iter().copied(), 50).as_secs_f64();
    for (number, server) in servers.iter().enumerate() {
        println!(
            "| {server} | {:.2} | {:.1} ms | {:.1} ms | {:.2} | {:.1} | {:.2} s | {:.2} s |",
            rounds.median(number, |cell| cell.others_rate),
            rounds.median(number, |cell| milliseconds(cell.p99_with)),
            rounds.median(number, |cell| milliseconds(cell.p99_without)),
            rounds.median(number, |cell| cell.p99_with.as_secs_f64() / cell.p99_without.as_secs_f64()),
            rounds.median(number, |cell| cell.ages.len() as f64 / WINDOW.as_secs_f64()),
            rounds.median(number, median_age),
            // The oldest of all rounds, not a median: no picture may be too old.
            rounds.of(number).flat_map(|cell| &cell.ages).max().unwrap().as_secs_f64(),
        );
    }
    let age_ratio = rounds.median(HOTSHOE, median_age) / rounds.median(HYPER, median_age);
    println!("\nHotshoe's age to hyper's: {age_ratio:.2}");
}

fn measure(server: &str, pictures: &Path) -> Cell {
    let server = start(server, pictures, RATE);
    let mut load = Load::connect(server.address, OTHERS);
    load.run_for(WARM_UP);
    load.reset();
    load.run_for(WINDOW);
    let p99_without = load.latency_percentile(99);
    let is_done = AtomicBool::new(false);
    let is_counting = AtomicBool::new(false);
    let ages = thread::scope(|scope| {
        let slow = scope.spawn(|| read_slowly(server.address, &is_counting, &is_done));
        // Lets the slow viewer's buffers fill.
        load.run_for(WARM_UP);
        load.reset();
        is_counting.store(true, Ordering::Relaxed);
        load.run_for(WINDOW);
        is_done.store(true, Ordering::Relaxed);
        slow.join().unwrap()
    });
    Cell { others_rate: load.slowest_rate(), p99_with: load.latency_percentile(99), p99_without, ages }
}

/// Reads at a steady rate until `is_done`. Returns the ages of the pictures that were completed while `is_counting`.
fn read_slowly(address: SocketAddr, is_counting: &AtomicBool, is_done: &AtomicBool) -> Vec<Duration> {
    let mut viewer = Viewer::connect(address, PATH, Some(RECEIVE_BUFFER));
    let mut last = Instant::now();
    let mut allowed = 0.0;
    while !is_done.load(Ordering::Relaxed) {
        if !is_counting.load(Ordering::Relaxed) {
            viewer.parts.clear();
        }
        thread::sleep(READ_INTERVAL);
        let now = Instant::now();
        allowed += now.duration_since(last).as_secs_f64() * BYTES_PER_SECOND as f64;
        allowed = allowed.min(BURST as f64);
        last = now;
        // May read more than allowed, because heads are read in larger pieces. The debt is carried over.
        if allowed >= 1.0 {
            allowed -= viewer.read_some(allowed as usize).unwrap() as f64;
        }
    }
    viewer.parts.iter().map(|part| part.latency).collect()
}
