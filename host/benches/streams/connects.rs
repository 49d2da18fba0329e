//! How many viewers can connect, receive two frames and leave per second.

use std::path::Path;
use std::time::{Duration, Instant};

use hotshoe_test_support::load::Load;
use hotshoe_test_support::server::processor_time;
use socket2::SockRef;

use super::figures::Rounds;
use super::servers::{HYPER, SERVERS, fill, start};
use super::{ROUNDS, Selection};

/// Frame size in bytes.
const SIZE: usize = 30_000;
/// The number of viewers at any time.
const AT_A_TIME: usize = 300;
/// The number of frames that each receives before it leaves.
const FRAMES: usize = 2;

/// Frames per second. A viewer is sent the first frame at once, and the second within a period: 10 ms, if the server
/// keeps up. So the number of viewers limits the rate to 30,000 per second. At 30 fps, the limit would be 9,000.
const RATE: u32 = 100;

const WARM_UP: Duration = Duration::from_millis(500);
const WINDOW: Duration = Duration::from_secs(3);

/// The measurements of one server in one round.
struct Cell {
    per_second: f64,
    /// The server's processor time for each viewer.
    microseconds_each: f64,
    /// The server's share of a processor. Near 1, it is saturated.
    server_share: f64,
    /// The load's share of a processor. If it is near 1 and the server's is not, the table measures the load.
    load_share: f64,
}

pub fn table(_: &Selection) {
    println!(
        "Viewers that connect, receive {FRAMES} frames of {} kB and leave, {AT_A_TIME} at a time, at {RATE} fps; medians of \
         {ROUNDS} rounds. Goal: 5,000 per second.\n",
        SIZE / 1000
    );
    println!(
        "| server | connects per second | ratio | server's time for each | ratio | server's processor usage | load's |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), SIZE);
    let rounds = Rounds::measure(ROUNDS, &SERVERS, HYPER, |server| measure(server, folder.path()));
    let rate = |cell: &Cell| cell.per_second;
    let cost = |cell: &Cell| cell.microseconds_each;
    for (number, server) in SERVERS.iter().enumerate() {
        println!(
            "| {server} | {:.0} | {:.2} | {:.0} µs | {:.2} | {:.0} % | {:.0} % |",
            rounds.median(number, rate),
            rounds.ratio(number, rate),
            rounds.median(number, cost),
            rounds.ratio(number, cost),
            rounds.median(number, |cell| cell.server_share * 100.0),
            rounds.median(number, |cell| cell.load_share * 100.0),
        );
    }
}

fn measure(server: &str, pictures: &Path) -> Cell {
    let server = start(server, pictures, RATE);
    // One more, which stays and keeps the camera open.
    let mut load = Load::connect(server.address, 1 + AT_A_TIME);
    come_and_go(&mut load, WARM_UP);
    let own = std::process::id();
    let (server_before, load_before) = (processor_time(server.pid()), processor_time(own));
    let start = Instant::now();
    let count = come_and_go(&mut load, WINDOW) as f64;
    let window = start.elapsed().as_secs_f64();
    let server_used = processor_time(server.pid()) - server_before;
    let load_used = processor_time(own) - load_before;
    Cell {
        per_second: count / window,
        microseconds_each: server_used.as_secs_f64() * 1e6 / count,
        server_share: server_used.as_secs_f64() / window,
        load_share: load_used.as_secs_f64() / window,
    }
}

/// For this long, replaces each viewer but the first when it has its frames. Returns the number of viewers that left.
fn come_and_go(load: &mut Load, time: Duration) -> usize {
    let start = Instant::now();
    let mut count = 0;
    while let Some(left) = time.checked_sub(start.elapsed()) {
        for number in load.poll(left) {
            let viewer = &load.viewers()[number];
            if number > 0 && viewer.parts.len() >= FRAMES {
                // Reset the connection: an orderly close would occupy its port for a minute, and a few seconds would
                // use up all ports.
                SockRef::from(&viewer.stream).set_linger(Some(Duration::ZERO)).unwrap();
                load.replace(number);
                count += 1;
            }
        }
    }
    count
}
