//! Coming and going: how many viewers can connect, take two frames and leave in a second.

use std::path::Path;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::figures::median;
use super::load::Load;
use super::servers::{HYPER, SERVERS, fill, processor_time, start};
use super::{Asked, ROUNDS};

const SIZE: usize = 30_000;
/// How many are there at a time.
const AT_A_TIME: usize = 300;
/// What each takes before it leaves.
const FRAMES: usize = 2;

/// Frames per second. The first frame is sent at once, the second is the next. So a visit takes 10 ms at most while the
/// server keeps up, and as many as there are at a time are no bound below 30,000 a second; at a usual rate they would
/// be one at 9,000.
const RATE: u32 = 100;

const WARM_UP: Duration = Duration::from_millis(500);
const WINDOW: Duration = Duration::from_secs(3);

/// What one server did in one round.
struct Cell {
    per_second: f64,
    /// The server's processor time.
    microseconds_each: f64,
    /// How much of a processor the server took. Near one, it could not have served more.
    server_share: f64,
    /// How much of a processor the load took. Where it is near one and the server's is not, it is the load that was
    /// measured.
    load_share: f64,
}

pub fn table(_: &Asked) {
    println!(
        "Viewers who connect, take {FRAMES} frames of {} kB and leave, {AT_A_TIME} at a time, at {RATE} fps; medians of \
         {ROUNDS} rounds. Goal: 5,000 a second.\n",
        SIZE / 1000
    );
    println!(
        "| server | connects per second | ratio | server's time for each | ratio | server's processor in use | load's |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), SIZE);
    let rounds: Vec<Vec<Cell>> =
        (0..ROUNDS).map(|_| SERVERS.iter().map(|server| measure(server, folder.path())).collect()).collect();
    for (number, server) in SERVERS.iter().enumerate() {
        let figure = |of: &dyn Fn(&Cell) -> f64| median(rounds.iter().map(|cells| of(&cells[number])));
        let ratio =
            |of: &dyn Fn(&Cell) -> f64| median(rounds.iter().map(|cells| of(&cells[number]) / of(&cells[HYPER])));
        let rate = |cell: &Cell| cell.per_second;
        let cost = |cell: &Cell| cell.microseconds_each;
        println!(
            "| {server} | {:.0} | {:.2} | {:.0} µs | {:.2} | {:.0} % | {:.0} % |",
            figure(&rate),
            ratio(&rate),
            figure(&cost),
            ratio(&cost),
            figure(&|cell| cell.server_share * 100.0),
            figure(&|cell| cell.load_share * 100.0),
        );
    }
}

fn measure(server: &str, pictures: &Path) -> Cell {
    let server = start(server, pictures, RATE);
    // One stays, so that the camera does.
    let mut load = Load::connect(server.address, 1 + AT_A_TIME);
    come_and_go(&mut load, WARM_UP);
    let own = std::process::id();
    let (server_before, load_before) = (processor_time(server.pid()), processor_time(own));
    let begun = Instant::now();
    let count = come_and_go(&mut load, WINDOW) as f64;
    let window = begun.elapsed().as_secs_f64();
    let server_used = processor_time(server.pid()) - server_before;
    let load_used = processor_time(own) - load_before;
    Cell {
        per_second: count / window,
        microseconds_each: server_used.as_secs_f64() * 1e6 / count,
        server_share: server_used.as_secs_f64() / window,
        load_share: load_used.as_secs_f64() / window,
    }
}

/// For this long, let each viewer but the first leave when it has its frames, and another come. Returns how many left.
fn come_and_go(load: &mut Load, time: Duration) -> usize {
    let begun = Instant::now();
    let mut count = 0;
    while let Some(left) = time.checked_sub(begun.elapsed()) {
        for number in load.poll(left) {
            let viewer = &load.viewers()[number];
            if number > 0 && viewer.latencies.len() >= FRAMES {
                // With a reset: connections that are closed in order keep their port for a minute, and there are fewer
                // ports than connects in a few seconds.
                SockRef::from(&viewer.stream).set_linger(Some(Duration::ZERO)).unwrap();
                load.replace(number);
                count += 1;
            }
        }
    }
    count
}
