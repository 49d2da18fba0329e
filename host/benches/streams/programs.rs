//! The cost of a program as a camera (`exec:`), compared with a V4L2 camera that delivers the same frames.
//!
//! Neither the program nor the thread of the emulated V4L2 camera is counted.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use hotshoe_test_support::fakecam;
use hotshoe_test_support::server::Server;

use super::cost::{Cell, measure};
use super::fakecam::with_camera;
use super::figures::Rounds;
use super::servers::{RATE, own_command, pinned_hotshoe};
use super::{ROUNDS, Selection};

/// The role of this program as a camera.
pub const ROLE: &str = "camera";

/// The size of the frames.
const SIZE: &str = "1280x720";

/// The numbers of viewers.
const VIEWERS: [usize; 2] = [1, 100];

pub fn table(_: &Selection) {
    println!(
        "Processor time of the server per frame, MJPG {SIZE} at {RATE} fps, for all viewers together; medians of {ROUNDS} \
         rounds. Goal: a ratio of at most 1.20.\n"
    );
    println!("| frames | viewers | V4L2 | program | ratio |");
    println!("| --- | --- | --- | --- | --- |");
    if let Some(missing) = fakecam::missing() {
        println!("| not measured: needs {missing} | | | | |");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mean_length = copy_frames(folder.path());
    let servers: [&dyn Fn() -> Server; 2] = [&|| with_camera(folder.path(), SIZE), &|| with_program(folder.path())];
    let [v4l2, program] = [0, 1];
    for viewers in VIEWERS {
        let rounds = Rounds::measure(ROUNDS, &servers, v4l2, |start| measure(start(), viewers));
        let per_frame = |cell: &Cell| cell.cost() * viewers as f64;
        println!(
            "| {} kB | {viewers} | {:.0} µs | {:.0} µs | {:.2} |",
            mean_length / 1000,
            rounds.median(v4l2, per_frame),
            rounds.median(program, per_frame),
            rounds.ratio(program, per_frame),
        );
    }
}

fn with_program(pictures: &Path) -> Server {
    let program = own_command(ROLE, pictures, RATE);
    let camera = format!("exec:{},fps={RATE}", program.get_program().display());
    let mut server = pinned_hotshoe(&["--camera", &camera, "--max-requests", "2000", "--admin", "off"]);
    // The program inherits them.
    server.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Server::start_command(server)
}

/// Writes the pictures of a folder to the standard output, in a loop, until it is closed.
pub fn play(pictures: &Path, rate: u32) {
    let mut paths: Vec<_> = fs::read_dir(pictures).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let pictures: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let start = Instant::now();
    for (number, picture) in (0_u32..).zip(pictures.iter().cycle()) {
        let due = start + Duration::from_secs(1) / rate * number;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if std::io::stdout().write_all(picture).is_err() {
            return;
        }
    }
}

/// Copies the frames of [`SIZE`] that tests use to a folder. Returns their mean length in bytes.
fn copy_frames(folder: &Path) -> u64 {
    let entries = fs::read_dir(fakecam::frames()).unwrap().map(|entry| entry.unwrap());
    let lengths: Vec<u64> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(SIZE))
        .map(|entry| fs::copy(entry.path(), folder.join(entry.file_name())).unwrap())
        .collect();
    lengths.iter().sum::<u64>() / lengths.len() as u64
}
