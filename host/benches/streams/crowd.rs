//! The cost of many viewers that read slowly, beside as many that keep up.

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hotshoe_test_support::load::{Load, PATH, request};
use hotshoe_test_support::server::processor_time;

use super::figures::{median, milliseconds};
use super::servers::{HOTSHOE, HYPER, SERVERS, fill, start};
use super::{ROUNDS, Selection};

/// The number of viewers of each kind.
const VIEWERS: usize = 500;
/// Frame size in bytes.
const SIZE: usize = 30_000;
/// Frames per second. One processor can read this much for all viewers that keep up.
const RATE: u32 = 10;

/// The bytes that a slow viewer reads at once. Its socket becomes writable after each read.
const READ: usize = 4096;
/// How long it pauses between two reads.
const PAUSE: Duration = Duration::from_millis(200);
/// The number of groups of slow viewers, which read one after the other.
const GROUPS: u32 = 20;
/// The receive buffer of a slow viewer, in bytes.
const RECEIVE_BUFFER: usize = 8 << 10;

const WARM_UP: Duration = Duration::from_secs(3);
const WINDOW: Duration = Duration::from_secs(5);

pub fn table(_: &Selection) {
    println!(
        "Processor time of the server per second with {VIEWERS} viewers at {RATE} fps, and with {VIEWERS} more that read {} \
         kB per second; medians of {ROUNDS} rounds.\n",
        READ * 1000 / PAUSE.as_millis() as usize / 1000
    );
    println!("| server | without slow viewers | with slow viewers | difference |");
    println!("| --- | --- | --- | --- |");
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), SIZE);
    for server in &SERVERS[HYPER..=HOTSHOE] {
        let figure = |slow| median((0..ROUNDS).map(|_| milliseconds(measure(server, folder.path(), slow))));
        let (without, with) = (figure(0), figure(VIEWERS));
        println!("| {server} | {without:.0} ms | {with:.0} ms | {:.0} ms |", with - without);
    }
}

/// Returns the processor time that this server uses per second with this many slow viewers.
fn measure(server: &str, pictures: &Path, slow: usize) -> Duration {
    let server = start(server, pictures, RATE);
    let mut load = Load::connect(server.address, VIEWERS);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| read_slowly(server.address, slow, &is_done));
        load.run_for(WARM_UP);
        let before = processor_time(server.pid());
        load.run_for(WINDOW);
        let used = processor_time(server.pid()) - before;
        is_done.store(true, Ordering::Relaxed);
        used.div_f64(WINDOW.as_secs_f64())
    })
}

/// Reads as this many slow viewers until `is_done`.
fn read_slowly(address: SocketAddr, count: usize, is_done: &AtomicBool) {
    let mut viewers: Vec<_> = (0..count).map(|_| request(address, PATH, Some(RECEIVE_BUFFER))).collect();
    let mut bytes = [0; READ];
    while !is_done.load(Ordering::Relaxed) {
        for group in viewers.chunks_mut(count.div_ceil(GROUPS as usize).max(1)) {
            thread::sleep(PAUSE / GROUPS);
            // Fails if nothing has arrived yet.
            group.iter_mut().for_each(|viewer| drop(viewer.read(&mut bytes)));
        }
        if viewers.is_empty() {
            thread::sleep(PAUSE);
        }
    }
}
