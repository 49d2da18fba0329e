//! How long it takes to replace the guest: from the new one in place to the first response that it gives; and,
//! to compare with, to restart the server instead. Then what viewers miss of their stream meanwhile (`gaps`).
//!
//! `cargo bench --bench swap` prints a table. Absolute times depend on the machine; the ratios are to the restart
//! with a known guest in the same run, which is what one would do on a server that cannot swap.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark ends at what goes wrong, and prints"
)]

mod gaps;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{get, request};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::{Server, command};
use rustix::process::Signal;
use sha2::{Digest, Sha256};

/// How often each is measured; the median counts.
const ROUNDS: usize = 11;

/// How often to ask whether the new guest answers. It is what the times are true to.
const ASK_EVERY: Duration = Duration::from_millis(1);

/// Give up after this.
const DEADLINE: Duration = Duration::from_secs(60);

/// A way to hand a component over.
type Way<'a> = (&'a str, &'a dyn Fn(&Setting, &[u8]));

struct Setting {
    server: Server,
    folder: tempfile::TempDir,
}

fn main() {
    let built_in = guests::built_in();
    let mut fresh = 0;
    let mut never_seen = || {
        fresh += 1;
        // Another number in each run of the benchmark.
        guests::variant(&built_in, std::process::id().wrapping_mul(1000).wrapping_add(fresh))
    };
    let cache = tempfile::tempdir().unwrap();
    let cache = cache.path().to_str().unwrap();

    let compiling = median((0..ROUNDS).map(|_| start(&["--no-cache"])));
    start(&["--cache", cache]);
    let restart = median((0..ROUNDS).map(|_| start(&["--cache", cache])));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guest.wasm");
    fs::write(&file, &built_in).unwrap();
    let args = ["--camera", "emulated", "--cache", cache, "--guest", file.to_str().unwrap()];
    let unwatched = Setting { server: Server::start(&args), folder };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guest.wasm");
    fs::write(&file, &built_in).unwrap();
    let args = ["--camera", "emulated", "--cache", cache, "--guest", file.to_str().unwrap(), "--watch"];
    let watched = Setting { server: Server::start(&args), folder };

    println!("From the new guest in place to its first response, medians of {ROUNDS}.\n");
    println!("| | never seen before | ratio | compiled before | ratio |");
    println!("| --- | --- | --- | --- | --- |");
    row("restart", compiling, restart, restart);
    let put = |setting: &Setting, component: &[u8]| assert_eq!(setting.server.put_guest(component).status, 200);
    let hangup = |setting: &Setting, component: &[u8]| {
        place(&setting.folder.path().join("guest.wasm"), component);
        setting.server.signal(Signal::HUP);
    };
    let rename = |setting: &Setting, component: &[u8]| place(&setting.folder.path().join("guest.wasm"), component);
    let ways: [(&Setting, Way); 3] =
        [(&unwatched, ("PUT /guest", &put)), (&unwatched, ("SIGHUP", &hangup)), (&watched, ("--watch", &rename))];
    for (setting, (name, hand_over)) in ways {
        let cold = median((0..ROUNDS).map(|_| swap(setting, &never_seen(), hand_over)));
        let known = [never_seen(), never_seen()];
        for component in &known {
            swap(setting, component, hand_over);
        }
        let cached = median((0..ROUNDS).map(|round| swap(setting, &known[round % 2], hand_over)));
        row(name, cold, cached, restart);
    }
    let back = median((0..ROUNDS).map(|_| roll_back(&unwatched.server)));
    println!("| POST /guest/rollback | | | {} | {:.3} |", milliseconds(back), ratio(back, restart));
    gaps::table(never_seen);
}

fn row(name: &str, cold: Duration, cached: Duration, reference: Duration) {
    let (cold_ratio, cached_ratio) = (ratio(cold, reference), ratio(cached, reference));
    println!("| {name} | {} | {cold_ratio:.2} | {} | {cached_ratio:.2} |", milliseconds(cold), milliseconds(cached));
}

fn ratio(time: Duration, reference: Duration) -> f64 {
    time.as_secs_f64() / reference.as_secs_f64()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort();
    times[times.len() / 2]
}

/// How long a server takes from its start to its first response.
fn start(args: &[&str]) -> Duration {
    let mut command = command();
    command.args(["--camera", "emulated"]).args(args);
    let begun = Instant::now();
    let server = Server::start_command(command);
    assert_eq!(get(server.address, "/").status, 200);
    begun.elapsed()
}

/// How long it takes from handing this component over to its first response.
fn swap(setting: &Setting, component: &[u8], hand_over: &dyn Fn(&Setting, &[u8])) -> Duration {
    let digest: String = Sha256::digest(component).iter().map(|byte| format!("{byte:02x}")).collect();
    let begun = Instant::now();
    hand_over(setting, component);
    wait_for(setting.server.address, &digest, begun)
}

fn roll_back(server: &Server) -> Duration {
    let digest = server.generations()["previous"]["sha256"].as_str().unwrap().to_owned();
    let begun = Instant::now();
    assert_eq!(request(server.admin.unwrap(), "POST", "/guest/rollback").status, 200);
    wait_for(server.address, &digest, begun)
}

/// Ask for the page until it is the one of the guest with this digest. Returns the time since `begun`.
fn wait_for(address: SocketAddr, digest: &str, begun: Instant) -> Duration {
    while !get(address, "/").text().contains(digest) {
        assert!(begun.elapsed() < DEADLINE, "the new guest does not answer");
        // Asking without a pause would take the processor from the compiler, which has a low priority.
        std::thread::sleep(ASK_EVERY);
    }
    begun.elapsed()
}

/// Put a component in the file's place, as builders do.
fn place(file: &Path, component: &[u8]) {
    let beside = file.with_extension("new");
    fs::write(&beside, component).unwrap();
    fs::rename(beside, file).unwrap();
}
