//! A viewer that reads slowly: what the others notice of it, and how old its pictures are.
//!
//! `raw` lets the kernel hold as much as it likes of what was not sent, and shows what comes of that.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::figures::{median, milliseconds, percentile};
use super::load::{Load, PATH};
use super::servers::{HOTSHOE, HYPER, RATE, SERVERS, fill, start};
use super::viewer::Viewer;
use super::{Asked, ROUNDS};

const SIZE: usize = 100_000;
const OTHERS: usize = 49;

/// What the slow viewer reads in a second: a sixth of what is sent to the others.
const BYTES_PER_SECOND: usize = 500_000;
/// How often it reads: a link does not bring a frame at once.
const READ_EVERY: Duration = Duration::from_millis(5);
/// What it does not read at once when something comes after a pause.
const BURST: usize = 10_000;
/// Its receive buffer, in bytes. Without a bound the kernel would let it grow, and what is in there is as old as if it
/// were still with the server, which can do nothing about it.
const RECEIVE_BUFFER: usize = 64 << 10;

const WARM_UP: Duration = Duration::from_secs(2);
const WINDOW: Duration = Duration::from_secs(5);

/// What one server did in one round.
struct Cell {
    /// The least that one of the others got, per second.
    others_rate: f64,
    /// Of the others.
    p99_with: Duration,
    p99_without: Duration,
    /// How old each of the slow viewer's pictures was when it was whole.
    ages: Vec<Duration>,
}

pub fn table(_: &Asked) {
    println!(
        "One of {} viewers reads {} kB a second of frames of {} kB at {RATE} fps; medians of {ROUNDS} rounds. Goal: its \
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
    let rounds: Vec<Vec<Cell>> = (0..ROUNDS)
        .map(|_| SERVERS[..=HOTSHOE].iter().map(|server| measure(server, folder.path())).collect())
        .collect();
    for (number, server) in SERVERS[..=HOTSHOE].iter().enumerate() {
        let figure = |of: &dyn Fn(&Cell) -> f64| median(rounds.iter().map(|cells| of(&cells[number])));
        println!(
            "| {server} | {:.2} | {:.1} ms | {:.1} ms | {:.2} | {:.1} | {:.2} s | {:.2} s |",
            figure(&|cell| cell.others_rate),
            figure(&|cell| milliseconds(cell.p99_with)),
            figure(&|cell| milliseconds(cell.p99_without)),
            figure(&|cell| cell.p99_with.as_secs_f64() / cell.p99_without.as_secs_f64()),
            figure(&|cell| cell.ages.len() as f64 / WINDOW.as_secs_f64()),
            figure(&|cell| percentile(cell.ages.iter().copied(), 50).as_secs_f64()),
            // Of all rounds: one that is too old is one too many.
            rounds.iter().flat_map(|cells| &cells[number].ages).max().unwrap().as_secs_f64(),
        );
    }
    let age = |server: usize| {
        median(rounds.iter().map(|cells| percentile(cells[server].ages.iter().copied(), 50).as_secs_f64()))
    };
    println!("\nHotshoe's age to hyper's: {:.2}", age(HOTSHOE) / age(HYPER));
}

fn measure(server: &str, pictures: &Path) -> Cell {
    let server = start(server, pictures, RATE);
    let mut load = Load::connect(server.address, OTHERS);
    load.run_for(WARM_UP);
    load.forget();
    load.run_for(WINDOW);
    let p99_without = load.latency_percentile(99);
    let done = AtomicBool::new(false);
    let counting = AtomicBool::new(false);
    let ages = thread::scope(|scope| {
        let slow = scope.spawn(|| read_slowly(server.address, &counting, &done));
        // Until its buffers are as full as they get.
        load.run_for(WARM_UP);
        load.forget();
        counting.store(true, Ordering::Relaxed);
        load.run_for(WINDOW);
        done.store(true, Ordering::Relaxed);
        slow.join().unwrap()
    });
    Cell { others_rate: load.slowest_rate(), p99_with: load.latency_percentile(99), p99_without, ages }
}

/// Watch at a steady rate until `done`. Returns how old the pictures were that were whole while `counting`.
fn read_slowly(address: SocketAddr, counting: &AtomicBool, done: &AtomicBool) -> Vec<Duration> {
    let mut viewer =
        Viewer::connect_with(address, PATH, &|socket| socket.set_recv_buffer_size(RECEIVE_BUFFER).unwrap());
    let mut last = Instant::now();
    let mut allowed = 0.0;
    while !done.load(Ordering::Relaxed) {
        if !counting.load(Ordering::Relaxed) {
            viewer.latencies.clear();
        }
        thread::sleep(READ_EVERY);
        let now = Instant::now();
        allowed += now.duration_since(last).as_secs_f64() * BYTES_PER_SECOND as f64;
        allowed = allowed.min(BURST as f64);
        last = now;
        // A head is looked at in larger pieces than may be left; that is made up for afterwards.
        if allowed >= 1.0 {
            allowed -= viewer.read_some(allowed as usize) as f64;
        }
    }
    viewer.latencies
}
