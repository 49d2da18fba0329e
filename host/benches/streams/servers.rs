//! The servers that are measured: starting them, and measuring what they use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread::available_parallelism;
use std::time::Duration;

use hotshoe_test_support::server::{Server, program, set_environment};
use hotshoe_test_support::{built_in_pictures, guests, workspace};

use super::reference;

/// The environment variable with the name of the reference server that this program runs instead of the benchmark.
const ROLE: &str = "HOTSHOE_BENCH_ROLE";
/// The environment variable with the folder of its pictures.
const PICTURES: &str = "HOTSHOE_BENCH_PICTURES";
/// The environment variable with its frames per second.
const FRAME_RATE: &str = "HOTSHOE_BENCH_RATE";

/// Frames per second, unless a table has its own rate.
pub const RATE: u32 = 30;

/// The reference servers, Hotshoe, and Hotshoe with guests of WASI 0.2 and 0.3 that do not use channels.
pub const SERVERS: [&str; 5] = ["raw", "hyper", "hotshoe", "plain", "plain-0.3"];
/// Indexes of [`SERVERS`].
pub const RAW: usize = 0;
pub const HYPER: usize = 1;
pub const HOTSHOE: usize = 2;
pub const PLAIN: usize = 3;
pub const PLAIN_0_3: usize = 4;

/// Runs a reference server, and never returns, if this program was started as one.
pub fn serve_if_reference() {
    if let Ok(role) = std::env::var(ROLE) {
        let rate = std::env::var(FRAME_RATE).unwrap().parse().unwrap();
        reference::serve(&role, Path::new(&std::env::var(PICTURES).unwrap()), rate);
    }
}

/// Starts a server on the first processor, with these pictures and this frame rate.
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
    } else if server == "plain-0.3" {
        pinned.arg("--guest").arg(guest_of_wasi_0_3());
    }
    Server::start_command(pinned)
}

/// Builds the guest of the tests of WASI 0.3 once. Returns its path.
fn guest_of_wasi_0_3() -> &'static Path {
    static GUEST: OnceLock<PathBuf> = OnceLock::new();
    GUEST.get_or_init(|| {
        const TARGET: &str = "wasm32-wasip2";
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wasi-0.3");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(workspace().join("host/tests/machine/guests/wasi-0.3"));
        cargo.args(["build", "--quiet", "--locked", "--release", "--target", TARGET, "--target-dir"]).arg(&target);
        assert!(cargo.status().unwrap().success(), "cannot build the guest; it needs the target {TARGET}");
        target.join(TARGET).join("release").join("wasi03.wasm")
    })
}

/// Returns the command that runs this program as a reference server.
pub fn reference_command(server: &str, pictures: &Path, rate: u32) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ROLE, server).env(PICTURES, pictures).env(FRAME_RATE, rate.to_string());
    command
}

/// Returns the arguments of Hotshoe.
pub fn hotshoe_arguments(pictures: &Path, rate: u32) -> Vec<String> {
    let camera = format!("emulated=emulated:{},fps={rate}", pictures.display());
    ["--camera", &camera, "--max-requests", "2000", "--admin", "off"].map(str::to_owned).into()
}

/// Pins this thread, and those that it starts, to the second processor: the first is the servers'.
pub fn pin_load() {
    set_processors("1");
}

/// Lets this thread, and the threads and processes that it starts, run on all processors again.
pub fn unpin_load() {
    set_processors(&format!("0-{}", available_parallelism().map_or(0, |count| count.get().max(2) - 1)));
}

fn set_processors(list: &str) {
    let mut command = Command::new("taskset");
    command.args(["-p", "-c", list, &std::process::id().to_string()]).stdout(Stdio::null());
    // Fails if there is only one processor. Then everything runs on it.
    let _ = command.status().unwrap();
}

/// Returns the processor time of all threads of a process (`/proc/pid/task/tid/schedstat`, in nanoseconds). Does not
/// count the thread of the emulated V4L2 camera: the kernel and the hardware do the work of a real one.
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

/// Returns the proportional set size of a process, in KiB (`/proc/pid/smaps_rollup`).
pub fn memory_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Fills a folder with thirty pictures of this many bytes.
pub fn fill(folder: &Path, size: usize) {
    let base = &built_in_pictures()[0];
    for number in 0..30_u8 {
        let mut picture = base[..2].to_vec();
        let mut missing = size - base.len();
        while missing > 0 {
            // A comment segment: marker, length including its own two bytes, text.
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
