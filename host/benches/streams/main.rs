//! What a stream costs: Hotshoe against two servers written by hand, on the same pictures, in the same run.
//!
//! ```text
//! cargo bench --bench streams                    # all cells, three rounds: a quarter of an hour
//! cargo bench --bench streams -- 100 300         # only these numbers of viewers
//! cargo bench --bench streams -- 100kB 1000      # and only frames of this size
//! ```
//!
//! The server has one processor and the viewers another. The figures that count are the ratios to the server on
//! hyper, each the median over the rounds: absolute times differ between machines, and on one machine from hour to
//! hour.
//!
//! * `load`: the viewers, and what they see.
//! * `reference`: the servers to compare with.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark ends at what goes wrong, and prints"
)]

mod load;
mod reference;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hotshoe_test_support::server::{Server, program, set_environment};
use hotshoe_test_support::{built_in_pictures, guests};

use load::Load;

/// Names the reference server that this program is to be, instead of the benchmark.
const ROLE: &str = "HOTSHOE_BENCH_ROLE";
/// The folder with its pictures.
const PICTURES: &str = "HOTSHOE_BENCH_PICTURES";

const RATE: u32 = 30;
const ROUNDS: usize = 3;
const WARM_UP: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(5);
const VIEWERS: [usize; 5] = [1, 10, 100, 300, 1000];
const SIZES: [usize; 2] = [30_000, 100_000];
const SERVERS: [&str; 4] = ["raw", "hyper", "hotshoe", "plain"];

/// What one server did in one round.
struct Cell {
    microseconds_per_frame: f64,
    kib_per_viewer: f64,
    load: Load,
}

fn main() {
    if let Ok(role) = std::env::var(ROLE) {
        return reference::serve(&role, Path::new(&std::env::var(PICTURES).unwrap()), RATE);
    }
    // cargo adds `--bench`.
    let asked: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let sizes: Vec<usize> = std::env::args().filter_map(|arg| arg.strip_suffix("kB")?.parse().ok()).collect();
    println!("Processor time of the server per frame that a viewer got, in µs; medians of {ROUNDS} rounds.\n");
    println!(
        "| frames | viewers | raw | hyper | Hotshoe | ratio | plain way | ratio | p99 | ratio | KiB per viewer | hyper's | slowest viewer, fps |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for size in SIZES.into_iter().filter(|size| sizes.is_empty() || sizes.contains(&(size / 1000))) {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), size);
        for viewers in VIEWERS {
            if asked.is_empty() || asked.contains(&viewers) {
                row(folder.path(), size, viewers);
            }
        }
    }
}

fn row(pictures: &Path, size: usize, viewers: usize) {
    let rounds: Vec<Vec<Cell>> =
        (0..ROUNDS).map(|_| SERVERS.iter().map(|server| measure(server, pictures, viewers)).collect()).collect();
    let figure = |server: usize, of: &dyn Fn(&Cell) -> f64| median(rounds.iter().map(|cells| of(&cells[server])));
    let ratio = |server: usize, of: &dyn Fn(&Cell) -> f64| {
        median(rounds.iter().map(|cells| of(&cells[server]) / of(&cells[1])))
    };
    let cost = |cell: &Cell| cell.microseconds_per_frame;
    let p99 = |cell: &Cell| cell.load.latency_percentile(99).as_secs_f64() * 1000.0;
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

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn measure(server: &str, pictures: &Path, viewers: usize) -> Cell {
    let server = start(server, pictures);
    let memory = memory_kib(server.pid());
    let mut load = Load::connect(server.address, "/video_feed", viewers);
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

/// Start a server on the first processor; the viewers are on the second.
fn start(server: &str, pictures: &Path) -> Server {
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", "0"]);
    if SERVERS[..2].contains(&server) {
        pinned.arg(std::env::current_exe().unwrap()).env(ROLE, server).env(PICTURES, pictures);
        return Server::start_command(pinned);
    }
    set_environment(&mut pinned);
    pinned.arg(program()).arg("--camera").arg(format!("emulated=emulated:{},fps={RATE}", pictures.display()));
    pinned.args(["--max-requests", "2000", "--admin", "off"]);
    if server == "plain" {
        let guest = pictures.join("plain.wasm");
        fs::write(&guest, guests::serving(guests::STREAMS)).unwrap();
        pinned.arg("--guest").arg(guest);
    }
    Server::start_command(pinned)
}

/// The processor time that a process has used, all its threads together (proc_pid_schedstat: in nanoseconds).
fn processor_time(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let times = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}

/// The memory that a process has in use and shares with nobody, in KiB.
fn memory_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Thirty pictures of this many bytes.
fn fill(folder: &Path, size: usize) {
    let base = &built_in_pictures()[0];
    for number in 0..30_u8 {
        let mut picture = base[..2].to_vec();
        let mut missing = size - base.len();
        while missing > 0 {
            // A comment: its marker, its length with the two bytes that hold it, and what it says.
            let length = missing.clamp(4, 60_000);
            picture.extend([0xFF, 0xFE]);
            picture.extend(u16::try_from(length - 2).unwrap().to_be_bytes());
            picture.extend(std::iter::repeat_n(number, length - 4));
            missing = missing.saturating_sub(length);
        }
        picture.extend(&base[2..]);
        fs::write(folder.join(format!("{number:02}.jpg")), picture).unwrap();
    }
}
