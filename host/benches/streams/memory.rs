//! What a viewer takes of the server's memory, also the plain way.

use std::path::Path;
use std::time::Duration;

use super::figures::median;
use super::load::Load;
use super::servers::{HYPER, RATE, SERVERS, fill, memory_kib, start};
use super::{Asked, ROUNDS};

const SIZE: usize = 30_000;
const VIEWERS: usize = 300;
/// Until all have been sent some frames.
const WARM_UP: Duration = Duration::from_secs(2);

pub fn table(_: &Asked) {
    println!(
        "Memory of the server for each of {VIEWERS} viewers, frames of {} kB; medians of {ROUNDS} rounds. Goals: 16 KiB \
         for Hotshoe, 70 kB (68 KiB) the plain way.\n",
        SIZE / 1000
    );
    println!("| server | KiB per viewer | ratio |");
    println!("| --- | --- | --- |");
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), SIZE);
    let rounds: Vec<Vec<f64>> =
        (0..ROUNDS).map(|_| SERVERS.iter().map(|server| measure(server, folder.path())).collect()).collect();
    for (number, server) in SERVERS.iter().enumerate() {
        println!(
            "| {server} | {:.1} | {:.2} |",
            median(rounds.iter().map(|servers| servers[number])),
            median(rounds.iter().map(|servers| servers[number] / servers[HYPER])),
        );
    }
}

fn measure(server: &str, pictures: &Path) -> f64 {
    let server = start(server, pictures, RATE);
    let before = memory_kib(server.pid());
    let mut load = Load::connect(server.address, VIEWERS);
    load.run_for(WARM_UP);
    memory_kib(server.pid()).saturating_sub(before) as f64 / VIEWERS as f64
}
