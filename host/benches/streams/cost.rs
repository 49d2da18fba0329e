//! What viewers cost: processor time per frame, latency, and memory.

use std::path::Path;
use std::time::Duration;

use hotshoe_test_support::server::Server;

use super::figures::{median, milliseconds};
use super::load::Load;
use super::servers::{RATE, SERVERS, fill, memory_kib, processor_time, start};
use super::{Asked, ROUNDS};

const WARM_UP: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(5);
const VIEWERS: [usize; 5] = [1, 10, 100, 300, 1000];
const SIZES: [usize; 2] = [30_000, 100_000];

/// What one server did in one round.
pub struct Cell {
    pub microseconds_per_frame: f64,
    pub kib_per_viewer: f64,
    pub load: Load,
}

pub fn table(asked: &Asked) {
    println!("Processor time of the server per frame that a viewer got, in µs; medians of {ROUNDS} rounds.\n");
    println!(
        "| frames | viewers | raw | hyper | Hotshoe | ratio | plain way | ratio | p99 | ratio | KiB per viewer | hyper's | slowest viewer, fps |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for size in SIZES.into_iter().filter(|size| asked.sizes.is_empty() || asked.sizes.contains(&(size / 1000))) {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), size);
        for viewers in VIEWERS {
            if asked.viewers.is_empty() || asked.viewers.contains(&viewers) {
                row(folder.path(), size, viewers);
            }
        }
    }
}

fn row(pictures: &Path, size: usize, viewers: usize) {
    let rounds: Vec<Vec<Cell>> = (0..ROUNDS).map(|_| cells(pictures, viewers)).collect();
    let figure = |server: usize, of: &dyn Fn(&Cell) -> f64| median(rounds.iter().map(|cells| of(&cells[server])));
    let ratio = |server: usize, of: &dyn Fn(&Cell) -> f64| {
        median(rounds.iter().map(|cells| of(&cells[server]) / of(&cells[1])))
    };
    let cost = |cell: &Cell| cell.microseconds_per_frame;
    let p99 = |cell: &Cell| milliseconds(cell.load.latency_percentile(99));
    let memory = |cell: &Cell| cell.kib_per_viewer;
    let slowest = |cell: &Cell| cell.load.slowest_rate();
    println!(
        "| {} kB | {viewers} | {:.1} | {:.1} | {:.1} | {:.2} | {:.1} | {:.2} | {:.1} ms | {:.2} | {:.0} | {:.0} | {:.2} |",
        size / 1000,
        figure(0, &cost),
        figure(1, &cost),
        figure(2, &cost),
        ratio(2, &cost),
        figure(3, &cost),
        ratio(3, &cost),
        figure(2, &p99),
        ratio(2, &p99),
        figure(2, &memory),
        figure(1, &memory),
        figure(2, &slowest),
    );
}

/// One round.
fn cells(pictures: &Path, viewers: usize) -> Vec<Cell> {
    SERVERS.iter().map(|server| measure(start(server, pictures, RATE), viewers)).collect()
}

/// What a server does with this many viewers.
pub fn measure(server: Server, viewers: usize) -> Cell {
    let memory = memory_kib(server.pid());
    let mut load = Load::connect(server.address, viewers);
    load.run_for(WARM_UP);
    load.forget();
    let before = processor_time(server.pid());
    load.run_for(WINDOW);
    let used = processor_time(server.pid()) - before;
    Cell {
        microseconds_per_frame: used.as_secs_f64() * 1e6 / load.frames() as f64,
        kib_per_viewer: memory_kib(server.pid()).saturating_sub(memory) as f64 / viewers as f64,
        load,
    }
}
