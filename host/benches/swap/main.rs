//! Measures how long it takes to replace the guest, until the first response of the new one, compared with a restart of
//! the server. Also measures what viewers miss of their streams meanwhile (`gaps`).
//!
//! `cargo bench --bench swap` prints the tables. Times depend on the machine. The ratios are to a restart with a cached
//! guest in the same run, which is the alternative on a server that cannot replace its guest.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark panics on errors, and prints its results"
)]

mod edited;
mod gaps;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use edited::Edited;
use hotshoe_test_support::client::{get, request};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::{Server, command};
use rustix::process::Signal;
use sha2::{Digest, Sha256};

/// The number of measurements. The table shows the median.
const ROUNDS: usize = 11;

/// How often to check whether the new guest answers. This limits the precision of the times.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The benchmark fails if a new guest does not answer within this time.
const DEADLINE: Duration = Duration::from_secs(60);

/// A name and a function that replaces the guest.
type Method<'a> = (&'a str, &'a dyn Fn(&Setup, &[u8]));

struct Setup {
    server: Server,
    folder: tempfile::TempDir,
}

impl Setup {
    /// Starts a server whose guest is a copy of the built-in one in a file.
    fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("guest.wasm");
        fs::write(&file, guests::built_in()).unwrap();
        let mut all = vec!["--camera", "emulated", "--guest", file.to_str().unwrap()];
        all.extend(args);
        Self { server: Server::start(&all), folder }
    }
}

fn main() {
    let built_in = guests::built_in();
    let mut count = 0;
    let mut new_component = || {
        count += 1;
        // Different in each run of the benchmark.
        guests::variant(&built_in, std::process::id().wrapping_mul(1000).wrapping_add(count))
    };
    let cache = tempfile::tempdir().unwrap();
    let cache = cache.path().to_str().unwrap();

    let uncached = median((0..ROUNDS).map(|_| start(&["--no-cache"])));
    start(&["--cache", cache]);
    let restart = median((0..ROUNDS).map(|_| start(&["--cache", cache])));
    let edited = Edited::build();

    println!("Time until the first response of the new guest, medians of {ROUNDS}.\n");
    println!("| | not cached | ratio | an earlier version is cached | ratio | cached | ratio |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    row("restart", &[Some(uncached), None, Some(restart)], restart);
    let put = |setup: &Setup, component: &[u8]| assert_eq!(setup.server.put_guest(component).status, 200);
    let hangup = |setup: &Setup, component: &[u8]| {
        rename_into(&setup.folder.path().join("guest.wasm"), component);
        setup.server.signal(Signal::HUP);
    };
    let rename = |setup: &Setup, component: &[u8]| rename_into(&setup.folder.path().join("guest.wasm"), component);
    let methods: [(&[&str], Method); 3] =
        [(&[], ("PUT /guest", &put)), (&[], ("SIGHUP", &hangup)), (&["--watch"], ("--watch", &rename))];
    for (args, (name, replace)) in methods {
        let without_cache = Setup::start(&[args, &["--no-cache"]].concat());
        let new = median((0..ROUNDS).map(|_| swap(&without_cache, &new_component(), replace)));
        let changed = median((0..ROUNDS).map(|_| {
            let cache = tempfile::tempdir().unwrap();
            let setup = Setup::start(&[args, &["--cache", cache.path().to_str().unwrap()]].concat());
            swap(&setup, &edited.before, replace);
            swap(&setup, &edited.after, replace)
        }));
        let with_cache = Setup::start(&[args, &["--cache", cache]].concat());
        let seen = [new_component(), new_component()];
        for component in &seen {
            swap(&with_cache, component, replace);
        }
        let cached = median((0..ROUNDS).map(|round| swap(&with_cache, &seen[round % 2], replace)));
        row(name, &[Some(new), Some(changed), Some(cached)], restart);
    }
    let setup = Setup::start(&["--cache", cache]);
    assert_eq!(setup.server.put_guest(&new_component()).status, 200);
    let rollback = median((0..ROUNDS).map(|_| roll_back(&setup.server)));
    row("POST /guest/rollback", &[None, None, Some(rollback)], restart);
    gaps::table(new_component);
}

/// Prints a row with each time, and its ratio to `reference`.
fn row(name: &str, times: &[Option<Duration>], reference: Duration) {
    print!("| {name} |");
    for time in times {
        match time {
            Some(time) => {
                let ratio = time.as_secs_f64() / reference.as_secs_f64();
                print!(" {:.1} ms | {ratio:.3} |", time.as_secs_f64() * 1000.0);
            }
            None => print!(" | |"),
        }
    }
    println!();
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort();
    times[times.len() / 2]
}

/// Measures how long a server takes from its start to its first response.
fn start(args: &[&str]) -> Duration {
    let mut command = command();
    command.args(["--camera", "emulated"]).args(args);
    let start = Instant::now();
    let server = Server::start_command(command);
    assert_eq!(get(server.address, "/").status, 200);
    start.elapsed()
}

/// Replaces the guest, and measures how long it takes until its first response.
fn swap(setup: &Setup, component: &[u8], replace: &dyn Fn(&Setup, &[u8])) -> Duration {
    let digest: String = Sha256::digest(component).iter().map(|byte| format!("{byte:02x}")).collect();
    let start = Instant::now();
    replace(setup, component);
    wait_for(setup.server.address, &digest, start)
}

fn roll_back(server: &Server) -> Duration {
    let digest = server.generations()["previous"]["sha256"].as_str().unwrap().to_owned();
    let start = Instant::now();
    assert_eq!(request(server.admin.unwrap(), "POST", "/guest/rollback").status, 200);
    wait_for(server.address, &digest, start)
}

/// Requests the page until the guest with this digest answers. Returns the time since `start`.
fn wait_for(address: SocketAddr, digest: &str, start: Instant) -> Duration {
    while !get(address, "/").text().contains(digest) {
        assert!(start.elapsed() < DEADLINE, "the new guest does not answer");
        // Without a pause, this would take processor time from the compiler, which has a low priority.
        std::thread::sleep(POLL_INTERVAL);
    }
    start.elapsed()
}

/// Replaces a file by renaming, as build tools do.
fn rename_into(file: &Path, component: &[u8]) {
    let new = file.with_extension("new");
    fs::write(&new, component).unwrap();
    fs::rename(new, file).unwrap();
}
