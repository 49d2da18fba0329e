//! The cost of a relay: a server whose camera is another server, compared with one that has the pictures itself.

use std::path::Path;

use hotshoe_test_support::server::Server;

use super::cost::{Cell, measure};
use super::figures::Rounds;
use super::servers::{HOTSHOE, RATE, SERVERS, fill, hotshoe_arguments, pinned_hotshoe, start};
use super::{ROUNDS, Selection};

/// Frame size in bytes.
const SIZE: usize = 30_000;
/// The numbers of viewers.
const VIEWERS: [usize; 2] = [1, 100];

pub fn table(_: &Selection) {
    println!(
        "Processor time of a relay per frame of {} kB at {RATE} fps, for all viewers together; medians of {ROUNDS} rounds.\n",
        SIZE / 1000
    );
    println!("| viewers | server with the pictures | relay | ratio | p99, relay |");
    println!("| --- | --- | --- | --- | --- |");
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), SIZE);
    for viewers in VIEWERS {
        let [own, relay] = [0, 1];
        let rounds = Rounds::measure(ROUNDS, &[own, relay], own, |server| {
            if *server == own {
                return measure(start(SERVERS[HOTSHOE], folder.path(), RATE), viewers);
            }
            let (_origin, relay) = start_relay(folder.path());
            measure(relay, viewers)
        });
        let per_frame = |cell: &Cell| cell.cost() * viewers as f64;
        println!(
            "| {viewers} | {:.0} µs | {:.0} µs | {:.2} | {:.1} ms |",
            rounds.median(own, per_frame),
            rounds.median(relay, per_frame),
            rounds.ratio(relay, per_frame),
            rounds.median(relay, Cell::p99),
        );
    }
}

/// Starts an origin on the processor of the viewers, and its relay on that of the servers.
fn start_relay(pictures: &Path) -> (Server, Server) {
    let origin = Server::start(&hotshoe_arguments(pictures, RATE));
    let camera = format!("relayed=http://{}/video_feed", origin.address);
    let relay = pinned_hotshoe(&["--camera", &camera, "--max-requests", "2000", "--admin", "off"]);
    (origin, Server::start_command(relay))
}
