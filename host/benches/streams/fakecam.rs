//! A V4L2 camera: what its viewers cost, all of capturing included, against hyper with the same frames in memory.
//!
//! The camera is emulated by a preloaded library, whose own thread is not counted.

use std::fs;
use std::path::Path;
use std::process::Command;

use hotshoe_test_support::fakecam;
use hotshoe_test_support::server::{Server, program, set_environment};

use super::cost::{Cell, measure};
use super::figures::{median, milliseconds};
use super::servers::{RATE, start};
use super::{Asked, ROUNDS};

const SIZE: &str = "1280x720";
const VIEWERS: usize = 100;

pub fn table(_: &Asked) {
    println!(
        "{VIEWERS} viewers of a V4L2 camera, MJPG {SIZE} at {RATE} fps; medians of {ROUNDS} rounds. Goal: a ratio of 1.10.\n"
    );
    println!("| frames | hyper | Hotshoe | ratio | p99, hyper | p99, Hotshoe | slowest viewer, fps |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    if let Some(missing) = fakecam::missing() {
        println!("| not measured: needs {missing} | | | | | | |");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mean_length = copy_frames(folder.path());
    let rounds: Vec<[Cell; 2]> = (0..ROUNDS)
        .map(|_| [measure(start("hyper", folder.path(), RATE), VIEWERS), measure(with_camera(), VIEWERS)])
        .collect();
    let figure = |server: usize, of: &dyn Fn(&Cell) -> f64| median(rounds.iter().map(|cells| of(&cells[server])));
    let cost = |cell: &Cell| cell.microseconds_per_frame;
    let p99 = |cell: &Cell| milliseconds(cell.load.latency_percentile(99));
    println!(
        "| {} kB | {:.1} µs | {:.1} µs | {:.2} | {:.1} ms | {:.1} ms | {:.2} |",
        mean_length / 1000,
        figure(0, &cost),
        figure(1, &cost),
        median(rounds.iter().map(|[hyper, hotshoe]| cost(hotshoe) / cost(hyper))),
        figure(0, &p99),
        figure(1, &p99),
        figure(1, &|cell| cell.load.slowest_rate()),
    );
}

/// Copy the camera's frames of this size to a folder of their own. Returns their mean length in bytes.
fn copy_frames(folder: &Path) -> u64 {
    let entries = fs::read_dir(fakecam::frames()).unwrap().map(|entry| entry.unwrap());
    let lengths: Vec<u64> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(SIZE))
        .map(|entry| fs::copy(entry.path(), folder.join(entry.file_name())).unwrap())
        .collect();
    lengths.iter().sum::<u64>() / lengths.len() as u64
}

fn with_camera() -> Server {
    let mut pinned = Command::new("taskset");
    set_environment(&mut pinned);
    // Set by env(1), so that only the server has the library.
    pinned.args(["-c", "0", "env"]);
    pinned.args(fakecam::variables().map(|(name, value)| format!("{name}={}", value.display())));
    pinned.arg(program()).arg("--camera").arg(format!("/dev/video0,size={SIZE},fps={RATE}"));
    pinned.args(["--max-requests", "2000", "--admin", "off"]);
    Server::start_command(pinned)
}
