//! The server's memory for each viewer.

use std::path::Path;
use std::time::Duration;

use hotshoe_test_support::load::Load;

use super::figures::Rounds;
use super::servers::{HYPER, RATE, SERVERS, fill, memory_kib, start};
use super::{ROUNDS, Selection};

/// Frame size in bytes.
const SIZE: usize = 30_000;
const VIEWERS: usize = 300;
/// Until every viewer has been sent some frames.
const WARM_UP: Duration = Duration::from_secs(2);

pub fn table(_: &Selection) {
    println!(
        "Memory of the server for each of {VIEWERS} viewers, frames of {} kB; medians of {ROUNDS} rounds. Goals: 8 KiB \
         for Hotshoe, 70 kB (68 KiB) without channels.\n",
        SIZE / 1000
    );
    println!("| server | KiB per viewer | ratio |");
    println!("| --- | --- | --- |");
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), SIZE);
    let rounds = Rounds::measure(ROUNDS, &SERVERS, HYPER, |server| measure(server, folder.path()));
    for (number, server) in SERVERS.iter().enumerate() {
        println!("| {server} | {:.1} | {:.2} |", rounds.median(number, |kib| *kib), rounds.ratio(number, |kib| *kib));
    }
}

fn measure(server: &str, pictures: &Path) -> f64 {
    let server = start(server, pictures, RATE);
    let before = memory_kib(server.pid());
    let mut load = Load::connect(server.address, VIEWERS);
    load.run_for(WARM_UP);
    memory_kib(server.pid()).saturating_sub(before) as f64 / VIEWERS as f64
}
