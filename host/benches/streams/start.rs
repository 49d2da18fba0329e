//! The start: how long it takes from the start of the server's program until a client has a frame.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hotshoe_test_support::server::{Server, command};

use super::Asked;
use super::figures::{median, milliseconds};
use super::load::Load;
use super::servers::{RATE, fill, hotshoe_arguments, pin_load, reference_command, unpin_load};

const SIZE: usize = 30_000;
/// How often each is started; they take turns.
const STARTS: usize = 11;

/// A way to start a server.
type Way<'a> = (&'a str, &'a dyn Fn() -> Command);

pub fn table(_: &Asked) {
    println!(
        "Milliseconds from the start of the program to the first whole frame at a client; frames of {} kB at {RATE} fps; \
         medians of {STARTS}, on all processors.\n",
        SIZE / 1000
    );
    println!("| server | start to first frame | of which until it listens | ratio |");
    println!("| --- | --- | --- | --- |");
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), SIZE);
    let pictures = folder.path();
    let cache = tempfile::tempdir().unwrap();
    let known = || hotshoe(pictures, &["--cache", cache.path().to_str().unwrap()]);
    let ways: [Way; 4] = [
        ("raw", &|| reference_command("raw", pictures, RATE)),
        ("hyper", &|| reference_command("hyper", pictures, RATE)),
        ("hotshoe, guest compiled before", &known),
        ("hotshoe, guest never seen", &|| hotshoe(pictures, &["--no-cache"])),
    ];
    unpin_load();
    // Compiles the guest.
    start(known());
    let rounds: Vec<Vec<Start>> = (0..STARTS).map(|_| ways.iter().map(|(_, way)| start(way())).collect()).collect();
    pin_load();
    for (number, (name, _)) in ways.iter().enumerate() {
        println!(
            "| {name} | {:.1} ms | {:.1} ms | {:.2} |",
            median(rounds.iter().map(|starts| milliseconds(starts[number].framed))),
            median(rounds.iter().map(|starts| milliseconds(starts[number].listening))),
            median(rounds.iter().map(|starts| starts[number].framed.as_secs_f64() / starts[1].framed.as_secs_f64())),
        );
    }
}

/// Times since the start of the program.
struct Start {
    listening: Duration,
    framed: Duration,
}

fn start(command: Command) -> Start {
    let begun = Instant::now();
    let server = Server::start_command(command);
    let listening = begun.elapsed();
    first_frame(server.address);
    Start { listening, framed: begun.elapsed() }
}

fn first_frame(address: SocketAddr) {
    Load::connect(address, 1);
}

fn hotshoe(pictures: &Path, more: &[&str]) -> Command {
    let mut command = command();
    command.args(hotshoe_arguments(pictures, RATE)).args(more);
    command
}
