//! The first frame: how long those wait who come all at once, as when a page is opened in a classroom.

use std::path::Path;
use std::time::Duration;

use super::figures::{median, milliseconds, percentile};
use super::load::Load;
use super::servers::{HOTSHOE, HYPER, RATE, SERVERS, fill, start};
use super::{Asked, ROUNDS};

const SIZE: usize = 30_000;
const VIEWERS: [usize; 2] = [100, 300];
/// A burst is short, so there are more of them than rounds of other tables.
const BURSTS: usize = 2 * ROUNDS + 1;
/// Between the burst and what was before, which is to have come to rest.
const PAUSE: Duration = Duration::from_millis(500);

/// The times from connect() to the end of the first whole frame, of all who came at once.
type Times = Vec<Duration>;

pub fn table(_: &Asked) {
    println!(
        "Milliseconds from connect() to the first whole frame, for viewers who come at once; frames of {} kB at {RATE} \
         fps; medians of {BURSTS} bursts. Goal: p99 of 20 ms.\n",
        SIZE / 1000
    );
    println!("| viewers | somebody watches | | raw | hyper | Hotshoe | ratio |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), SIZE);
    for viewers in VIEWERS {
        // Without anybody, Hotshoe opens its camera first, which the references have open always.
        for is_watched in [true, false] {
            row(folder.path(), viewers, is_watched);
        }
    }
}

fn row(pictures: &Path, viewers: usize, is_watched: bool) {
    let bursts: Vec<Vec<Times>> = (0..BURSTS)
        .map(|_| SERVERS[..=HOTSHOE].iter().map(|server| burst(server, pictures, viewers, is_watched)).collect())
        .collect();
    for percent in [50, 99] {
        let wait = |times: &Times| milliseconds(percentile(times.iter().copied(), percent));
        let figure = |server: usize| median(bursts.iter().map(|servers| wait(&servers[server])));
        println!(
            "| {viewers} | {} | p{percent} | {:.1} | {:.1} | {:.1} | {:.2} |",
            if is_watched { "yes" } else { "no" },
            figure(0),
            figure(HYPER),
            figure(HOTSHOE),
            median(bursts.iter().map(|servers| wait(&servers[HOTSHOE]) / wait(&servers[HYPER]))),
        );
    }
}

fn burst(server: &str, pictures: &Path, viewers: usize, is_watched: bool) -> Times {
    let server = start(server, pictures, RATE);
    let before = usize::from(is_watched);
    let mut load = Load::connect(server.address, before);
    load.run_for(PAUSE);
    load.join(viewers);
    load.viewers()[before..].iter().map(|viewer| viewer.first.unwrap()).collect()
}
