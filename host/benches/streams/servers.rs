//! The servers that are measured: starting them, and measuring what they use.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread::available_parallelism;

use hotshoe_test_support::server::{Server, program, set_environment};
use hotshoe_test_support::{built_in_pictures, guests, workspace};

use super::{programs, reference};

/// The environment variable with the name of the reference server, or camera, that this program runs instead of the
/// benchmark.
const ROLE: &str = "HOTSHOE_BENCH_ROLE";
/// The environment variable with the folder of its pictures.
const PICTURES: &str = "HOTSHOE_BENCH_PICTURES";
/// The environment variable with its frames per second.
const FRAME_RATE: &str = "HOTSHOE_BENCH_RATE";

/// Frames per second, unless a table has its own rate.
pub const RATE: u32 = 30;

/// The reference servers, Hotshoe, and Hotshoe with guests of WASI 0.2 and 0.3 that do not use channels.
pub const SERVERS: [&str; 6] = ["raw", "sendfile", "hyper", "hotshoe", "plain", "plain-0.3"];
/// Indexes of [`SERVERS`].
pub const RAW: usize = 0;
pub const SENDFILE: usize = 1;
pub const HYPER: usize = 2;
pub const HOTSHOE: usize = 3;
pub const PLAIN: usize = 4;
pub const PLAIN_0_3: usize = 5;

/// Runs a reference server or a camera, if this program was started as one. Returns whether it was.
pub fn run_role() -> bool {
    let Ok(role) = std::env::var(ROLE) else { return false };
    let rate = std::env::var(FRAME_RATE).unwrap().parse().unwrap();
    let pictures = std::env::var(PICTURES).unwrap();
    if role == programs::ROLE {
        programs::play(Path::new(&pictures), rate);
    } else {
        reference::serve(&role, Path::new(&pictures), rate);
    }
    true
}

/// Starts a server on the first processor, with these pictures and this frame rate.
pub fn start(server: &str, pictures: &Path, rate: u32) -> Server {
    if SERVERS[..HOTSHOE].contains(&server) {
        let reference = own_command(server, pictures, rate);
        let mut pinned = pinned(reference.get_program());
        pinned.envs(reference.get_envs().filter_map(|(name, value)| Some((name, value?))));
        return Server::start_command(pinned);
    }
    let mut hotshoe = pinned_hotshoe(&hotshoe_arguments(pictures, rate));
    if server == "plain" {
        let guest = pictures.join("plain.wasm");
        fs::write(&guest, guests::serving(guests::STREAMS)).unwrap();
        hotshoe.arg("--guest").arg(guest);
    } else if server == "plain-0.3" {
        hotshoe.arg("--guest").arg(guest_of_wasi_0_3());
    }
    Server::start_command(hotshoe)
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

/// Returns a command that runs Hotshoe on the first processor.
pub fn pinned_hotshoe(arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = pinned(program().as_ref());
    set_environment(&mut command);
    command.args(arguments);
    command
}

/// Returns a command that runs a program on the first processor.
pub fn pinned(program: &OsStr) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

/// Returns the command that runs this program as a reference server or a camera.
pub fn own_command(role: &str, pictures: &Path, rate: u32) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ROLE, role).env(PICTURES, pictures).env(FRAME_RATE, rate.to_string());
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
