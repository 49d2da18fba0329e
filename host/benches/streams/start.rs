//! The time from the start of the server's program to the first frame at a client.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hotshoe_test_support::load::Load;
use hotshoe_test_support::server::{Server, command};

use super::Selection;
use super::figures::{Rounds, milliseconds};
use super::servers::{HYPER, RATE, fill, hotshoe_arguments, own_command, pin_load, unpin_load};

/// Frame size in bytes.
const SIZE: usize = 30_000;
/// How often each server is started.
const STARTS: usize = 11;

/// A server's name, and the command that starts it.
type Row<'a> = (&'a str, &'a dyn Fn() -> Command);

pub fn table(_: &Selection) {
    println!(
        "Milliseconds from the start of the program to the end of the first frame at a client; frames of {} kB at {RATE} \
         fps; medians of {STARTS}, on all processors.\n",
        SIZE / 1000
    );
    println!("| server | start to first frame | start to listening | ratio |");
    println!("| --- | --- | --- | --- |");
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), SIZE);
    let pictures = folder.path();
    let cache = tempfile::tempdir().unwrap();
    let cached = || hotshoe(pictures, &["--cache", cache.path().to_str().unwrap()]);
    let servers: [Row; 4] = [
        ("raw", &|| own_command("raw", pictures, RATE)),
        ("hyper", &|| own_command("hyper", pictures, RATE)),
        ("hotshoe, cached guest", &cached),
        ("hotshoe, new guest", &|| hotshoe(pictures, &["--no-cache"])),
    ];
    unpin_load();
    // Fills the cache.
    start(cached());
    let rounds = Rounds::measure(STARTS, &servers, HYPER, |(_, command)| start(command()));
    pin_load();
    for (number, (name, _)) in servers.iter().enumerate() {
        println!(
            "| {name} | {:.1} ms | {:.1} ms | {:.2} |",
            rounds.median(number, |start| milliseconds(start.first_frame)),
            rounds.median(number, |start| milliseconds(start.listening)),
            rounds.ratio(number, |start| milliseconds(start.first_frame)),
        );
    }
}

/// Times since the start of the program.
struct Start {
    listening: Duration,
    first_frame: Duration,
}

fn start(command: Command) -> Start {
    let start = Instant::now();
    let server = Server::start_command(command);
    let listening = start.elapsed();
    Load::connect(server.address, 1);
    Start { listening, first_frame: start.elapsed() }
}

fn hotshoe(pictures: &Path, more: &[&str]) -> Command {
    let mut command = command();
    command.args(hotshoe_arguments(pictures, RATE)).args(more);
    command
}
