//! The servers that are measured: how they are started, and what they use.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::available_parallelism;
use std::time::Duration;

use hotshoe_test_support::server::{Server, program, set_environment};
use hotshoe_test_support::{built_in_pictures, guests};

use super::reference;

/// Names the reference server that this program is to be, instead of the benchmark.
const ROLE: &str = "HOTSHOE_BENCH_ROLE";
/// The folder with its pictures.
const PICTURES: &str = "HOTSHOE_BENCH_PICTURES";
/// How many of them it sends in a second.
const FRAME_RATE: &str = "HOTSHOE_BENCH_RATE";

/// Frames per second, but where a table says otherwise.
pub const RATE: u32 = 30;

/// Two references, Hotshoe, and Hotshoe with a guest that does not use channels.
pub const SERVERS: [&str; 4] = ["raw", "hyper", "hotshoe", "plain"];
pub const HYPER: usize = 1;
pub const HOTSHOE: usize = 2;

/// Be a reference server, if that is what this program was started as: then this never returns.
pub fn serve_if_told() {
    if let Ok(role) = std::env::var(ROLE) {
        let rate = std::env::var(FRAME_RATE).unwrap().parse().unwrap();
        reference::serve(&role, Path::new(&std::env::var(PICTURES).unwrap()), rate);
    }
}

/// Start a server on the first processor, with these pictures at this rate.
pub fn start(server: &str, pictures: &Path, rate: u32) -> Server {
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", "0"]);
    if SERVERS[..HOTSHOE].contains(&server) {
        let reference = reference_command(server, pictures, rate);
        pinned.arg(reference.get_program()).envs(reference.get_envs().filter_map(|(name, value)| Some((name, value?))));
        return Server::start_command(pinned);
    }
    set_environment(&mut pinned);
    pinned.arg(program()).args(hotshoe_arguments(pictures, rate));
    if server == "plain" {
        let guest = pictures.join("plain.wasm");
        fs::write(&guest, guests::serving(guests::STREAMS)).unwrap();
        pinned.arg("--guest").arg(guest);
    }
    Server::start_command(pinned)
}

/// This program, as a reference server.
pub fn reference_command(server: &str, pictures: &Path, rate: u32) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ROLE, server).env(PICTURES, pictures).env(FRAME_RATE, rate.to_string());
    command
}

pub fn hotshoe_arguments(pictures: &Path, rate: u32) -> Vec<String> {
    let camera = format!("emulated=emulated:{},fps={rate}", pictures.display());
    ["--camera", &camera, "--max-requests", "2000", "--admin", "off"].map(str::to_owned).into()
}

/// Keep the load off the servers' processor: run this thread, and those that it starts, on the second alone.
pub fn pin_load() {
    set_processors("1");
}

/// Let this thread, and what it starts, run on all processors again.
pub fn unpin_load() {
    set_processors(&format!("0-{}", available_parallelism().map_or(0, |count| count.get().max(2) - 1)));
}

fn set_processors(list: &str) {
    let mut command = Command::new("taskset");
    command.args(["-p", "-c", list, &std::process::id().to_string()]).stdout(Stdio::null());
    // Fails where there is only one, and all is measured on that.
    let _ = command.status().unwrap();
}

/// The processor time that a process has used, all its threads together (proc_pid_schedstat: in nanoseconds). The
/// thread of a preloaded camera is left out: with a real one, its work is the kernel's and the camera's.
pub fn processor_time(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let times = tasks.filter_map(|task| {
        let folder = task.ok()?.path();
        if fs::read_to_string(folder.join("comm")).ok()?.starts_with("fakecam") {
            return None;
        }
        let text = fs::read_to_string(folder.join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}

/// The memory that a process has in use and shares with nobody, in KiB.
pub fn memory_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Thirty pictures of this many bytes.
pub fn fill(folder: &Path, size: usize) {
    let base = &built_in_pictures()[0];
    for number in 0..30_u8 {
        let mut picture = base[..2].to_vec();
        let mut missing = size - base.len();
        while missing > 0 {
            // A comment: its marker, its length with the two bytes that hold it, and what it says.
            let length = missing.clamp(4, 60_000);
            picture.extend([0xFF, 0xFE]);
            picture.extend(u16::try_from(length - 2).unwrap().to_be_bytes());
            picture.extend(std::iter::repeat_n(number, length - 4));
            missing = missing.saturating_sub(length);
        }
        picture.extend(&base[2..]);
        fs::write(folder.join(format!("{number:02}.jpg")), picture).unwrap();
    }
}
