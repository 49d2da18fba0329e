//! The cost of viewers of a V4L2 camera, including the capture. hyper has the same frames in memory.
//!
//! A preloaded library emulates the camera. Its thread is not counted.

use std::fs;
use std::path::Path;
use std::process::Command;

use hotshoe_test_support::fakecam;
use hotshoe_test_support::server::{Server, program, set_environment};

use super::cost::{Cell, measure};
use super::figures::Rounds;
use super::servers::{RATE, start};
use super::{ROUNDS, Selection};

pub const SIZE: &str = "1280x720";
const VIEWERS: usize = 100;

pub fn table(_: &Selection) {
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
    let servers: [&dyn Fn() -> Server; 2] = [&|| start("hyper", folder.path(), RATE), &with_camera];
    let [hyper, hotshoe] = [0, 1];
    let rounds = Rounds::measure(ROUNDS, &servers, hyper, |start| measure(start(), VIEWERS));
    println!(
        "| {} kB | {:.1} µs | {:.1} µs | {:.2} | {:.1} ms | {:.1} ms | {:.2} |",
        mean_length / 1000,
        rounds.median(hyper, Cell::cost),
        rounds.median(hotshoe, Cell::cost),
        rounds.ratio(hotshoe, Cell::cost),
        rounds.median(hyper, Cell::p99),
        rounds.median(hotshoe, Cell::p99),
        rounds.median(hotshoe, |cell| cell.load.slowest_rate()),
    );
}

/// Copies the camera's frames of [`SIZE`] to a folder. Returns their mean length in bytes.
pub fn copy_frames(folder: &Path) -> u64 {
    let entries = fs::read_dir(fakecam::frames()).unwrap().map(|entry| entry.unwrap());
    let lengths: Vec<u64> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(SIZE))
        .map(|entry| fs::copy(entry.path(), folder.join(entry.file_name())).unwrap())
        .collect();
    lengths.iter().sum::<u64>() / lengths.len() as u64
}

pub fn with_camera() -> Server {
    let mut pinned = Command::new("taskset");
    set_environment(&mut pinned);
    // With env(1), so that only the server loads the library.
    pinned.args(["-c", "0", "env"]);
    pinned.args(fakecam::variables().map(|(name, value)| format!("{name}={}", value.display())));
    pinned.arg(program()).arg("--camera").arg(format!("/dev/video0,size={SIZE},fps={RATE}"));
    pinned.args(["--max-requests", "2000", "--admin", "off"]);
    Server::start_command(pinned)
}
