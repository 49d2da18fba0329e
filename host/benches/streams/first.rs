//! The time to the first frame for viewers that connect at once, as when a class opens a page.

use std::path::Path;
use std::time::Duration;

use hotshoe_test_support::load::{Load, percentile};

use super::figures::{Rounds, milliseconds};
use super::servers::{HOTSHOE, HYPER, RATE, RAW, SERVERS, fill, start};
use super::{ROUNDS, Selection};

/// Frame size in bytes.
const SIZE: usize = 30_000;
const VIEWERS: [usize; 2] = [100, 300];
/// A burst is short, so there are more bursts than rounds of other tables.
const BURSTS: usize = 2 * ROUNDS + 1;
/// How long the server runs before the burst.
const PAUSE: Duration = Duration::from_millis(500);

/// For each viewer of a burst, the time from connect() to the end of the first frame.
type Times = Vec<Duration>;

pub fn table(_: &Selection) {
    println!(
        "Milliseconds from connect() to the end of the first frame, for viewers that connect at once; frames of {} kB at \
         {RATE} fps; medians of {BURSTS} bursts. Goal: p99 of 20 ms.\n",
        SIZE / 1000
    );
    println!("| viewers | has a viewer before | | raw | hyper | Hotshoe | ratio |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), SIZE);
    for viewers in VIEWERS {
        // Without a viewer, Hotshoe must open its camera first. The reference servers' cameras are always open.
        for is_watched in [true, false] {
            row(folder.path(), viewers, is_watched);
        }
    }
}

fn row(pictures: &Path, viewers: usize, is_watched: bool) {
    let bursts =
        Rounds::measure(BURSTS, &SERVERS[..=HOTSHOE], HYPER, |server| burst(server, pictures, viewers, is_watched));
    for percent in [50, 99] {
        let wait = |times: &Times| milliseconds(percentile(times.iter().copied(), percent));
        println!(
            "| {viewers} | {} | p{percent} | {:.1} | {:.1} | {:.1} | {:.2} |",
            if is_watched { "yes" } else { "no" },
            bursts.median(RAW, wait),
            bursts.median(HYPER, wait),
            bursts.median(HOTSHOE, wait),
            bursts.ratio(HOTSHOE, wait),
        );
    }
}

fn burst(server: &str, pictures: &Path, viewers: usize, is_watched: bool) -> Times {
    let server = start(server, pictures, RATE);
    let before = usize::from(is_watched);
    let mut load = Load::connect(server.address, before);
    load.run_for(PAUSE);
    load.add(viewers);
    load.viewers()[before..].iter().map(|viewer| viewer.first.unwrap()).collect()
}
