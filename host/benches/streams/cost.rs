//! The cost of viewers: processor time per frame, latency, and memory.

use std::path::Path;
use std::time::Duration;

use hotshoe_test_support::load::Load;
use hotshoe_test_support::server::{Server, processor_time};

use super::figures::{Rounds, milliseconds};
use super::servers::{HOTSHOE, HYPER, PLAIN, PLAIN_0_3, RATE, RAW, SENDFILE, SERVERS, fill, memory_kib, start};
use super::{ROUNDS, Selection};

const WARM_UP: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(5);
const VIEWERS: [usize; 5] = [1, 10, 100, 300, 1000];
/// Frame sizes in bytes.
const SIZES: [usize; 2] = [30_000, 100_000];

/// The measurements of one server in one round.
pub struct Cell {
    pub microseconds_per_frame: f64,
    pub kib_per_viewer: f64,
    pub load: Load,
}

impl Cell {
    pub fn cost(&self) -> f64 {
        self.microseconds_per_frame
    }

    /// The 99th percentile of the latency, in ms.
    pub fn p99(&self) -> f64 {
        milliseconds(self.load.latency_percentile(99))
    }
}

pub fn table(selection: &Selection) {
    println!("Processor time of the server per frame and viewer, in µs; medians of {ROUNDS} rounds.\n");
    println!(
        "| frames | viewers | raw | sendfile | hyper | Hotshoe | ratio | without channels | ratio | WASI 0.3 | ratio | p99 | ratio | KiB per viewer | hyper's | slowest viewer, fps |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for size in SIZES.into_iter().filter(|size| selection.sizes.is_empty() || selection.sizes.contains(&(size / 1000)))
    {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), size);
        for viewers in VIEWERS {
            if selection.viewers.is_empty() || selection.viewers.contains(&viewers) {
                row(folder.path(), size, viewers);
            }
        }
    }
}

fn row(pictures: &Path, size: usize, viewers: usize) {
    let rounds = Rounds::measure(ROUNDS, &SERVERS, HYPER, |server| measure(start(server, pictures, RATE), viewers));
    let memory = |cell: &Cell| cell.kib_per_viewer;
    println!(
        "| {} kB | {viewers} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} | {:.1} | {:.2} | {:.1} | {:.2} | {:.1} ms | {:.2} | {:.0} | {:.0} | {:.2} |",
        size / 1000,
        rounds.median(RAW, Cell::cost),
        rounds.median(SENDFILE, Cell::cost),
        rounds.median(HYPER, Cell::cost),
        rounds.median(HOTSHOE, Cell::cost),
        rounds.ratio(HOTSHOE, Cell::cost),
        rounds.median(PLAIN, Cell::cost),
        rounds.ratio(PLAIN, Cell::cost),
        rounds.median(PLAIN_0_3, Cell::cost),
        rounds.ratio(PLAIN_0_3, Cell::cost),
        rounds.median(HOTSHOE, Cell::p99),
        rounds.ratio(HOTSHOE, Cell::p99),
        rounds.median(HOTSHOE, memory),
        rounds.median(HYPER, memory),
        rounds.median(HOTSHOE, |cell| cell.load.slowest_rate()),
    );
}

/// Measures a server with this many viewers.
pub fn measure(server: Server, viewers: usize) -> Cell {
    let memory = memory_kib(server.pid());
    let mut load = Load::connect(server.address, viewers);
    load.run_for(WARM_UP);
    load.reset();
    let before = processor_time(server.pid());
    load.run_for(WINDOW);
    let used = processor_time(server.pid()) - before;
    Cell {
        microseconds_per_frame: used.as_secs_f64() * 1e6 / load.frames() as f64,
        kib_per_viewer: memory_kib(server.pid()).saturating_sub(memory) as f64 / viewers as f64,
        load,
    }
}
