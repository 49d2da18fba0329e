//! The cost of viewers of a V4L2 camera, including the capture, from the second second on. The server on hyper reads the
//! same camera.
//!
//! A preloaded library emulates the camera. Its thread is not counted.

use std::fs;
use std::path::Path;

use hotshoe::camera::Dimensions;
use hotshoe::camera::raw::{Encoder, Layout, PixelFormat, Range};
use hotshoe_test_support::fakecam;
use hotshoe_test_support::server::{Server, program, set_environment};

use super::cost::{Cell, measure};
use super::figures::Rounds;
use super::servers::{RATE, own_command, pinned};
use super::{ROUNDS, Selection};

const VIEWERS: [usize; 4] = [1, 10, 100, 300];

/// The number of frames of each size.
const FRAMES: usize = 30;

/// The frames of a camera.
struct Frames {
    dimensions: Dimensions,
    /// The bits of noise in each sample, which determine the length of a frame.
    noise: u32,
    quality: u8,
    /// About how many kB a frame has.
    kilobytes: usize,
}

const SIZES: [Frames; 2] = [
    Frames { dimensions: Dimensions { width: 640, height: 480 }, noise: 3, quality: 75, kilobytes: 30 },
    Frames { dimensions: Dimensions { width: 1280, height: 720 }, noise: 3, quality: 70, kilobytes: 100 },
];

pub fn table(selection: &Selection) {
    println!(
        "Processor time per frame and viewer of a V4L2 camera, MJPG at {RATE} fps; medians of {ROUNDS} rounds. Goal: a \
         ratio of 1.15 with one viewer, and 1.05 with 100 or more.\n"
    );
    println!("| frames | viewers | hyper | Hotshoe | ratio | p99, hyper | p99, Hotshoe | slowest viewer, fps |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    if let Some(missing) = fakecam::missing() {
        println!("| not measured: needs {missing} | | | | | | | |");
        return;
    }
    for frames in SIZES {
        if !selection.sizes.is_empty() && !selection.sizes.contains(&frames.kilobytes) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let mean_length = frames.write(folder.path());
        for viewers in VIEWERS {
            if selection.viewers.is_empty() || selection.viewers.contains(&viewers) {
                row(folder.path(), &frames.size(), mean_length, viewers);
            }
        }
    }
}

fn row(folder: &Path, size: &str, mean_length: usize, viewers: usize) {
    let servers: [&dyn Fn() -> Server; 2] = [&|| reference(folder), &|| with_camera(folder, size)];
    let [hyper, hotshoe] = [0, 1];
    let rounds = Rounds::measure(ROUNDS, &servers, hyper, |start| measure(start(), viewers));
    println!(
        "| {} kB | {viewers} | {:.1} µs | {:.1} µs | {:.2} | {:.1} ms | {:.1} ms | {:.2} |",
        mean_length / 1000,
        rounds.median(hyper, Cell::cost),
        rounds.median(hotshoe, Cell::cost),
        rounds.ratio(hotshoe, Cell::cost),
        rounds.median(hyper, Cell::p99),
        rounds.median(hotshoe, Cell::p99),
        rounds.median(hotshoe, |cell| cell.load.slowest_rate()),
    );
}

impl Frames {
    fn size(&self) -> String {
        format!("{}x{}", self.dimensions.width, self.dimensions.height)
    }

    /// Writes the frames to a folder: gradients that move, with noise. Returns their mean length in bytes.
    fn write(&self, folder: &Path) -> usize {
        let layout = Layout { format: PixelFormat::Yuyv, dimensions: self.dimensions, stride: 0, range: Range::Full };
        let mut encoder = Encoder::new(layout, self.quality).unwrap();
        let mut total = 0;
        for number in 0..FRAMES {
            let noise = |at: usize| ((at + number) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - self.noise);
            let sample = |at: usize| ((at >> 10) + number + noise(at) as usize) as u8;
            let pixels: Vec<u8> = (0..layout.frame_length()).map(sample).collect();
            let picture = encoder.encode(&pixels).unwrap();
            total += picture.len();
            fs::write(folder.join(format!("{}-{number:02}.jpg", self.size())), picture).unwrap();
        }
        total / FRAMES
    }
}

/// Starts the server on hyper with an emulated camera that delivers the frames in a folder.
fn reference(frames: &Path) -> Server {
    let reference = own_command("hyper-v4l2", frames, RATE);
    let mut command = pinned("env".as_ref());
    command.args(camera(frames)).arg(reference.get_program());
    command.envs(reference.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Server::start_command(command)
}

/// Starts Hotshoe with an emulated camera that delivers the frames of this size in a folder.
pub fn with_camera(frames: &Path, size: &str) -> Server {
    // With env(1), so that only the server loads the library.
    let mut command = pinned("env".as_ref());
    set_environment(&mut command);
    command.args(camera(frames));
    command.arg(program()).arg("--camera").arg(format!("/dev/video0,size={size},fps={RATE}"));
    command.args(["--max-requests", "2000", "--admin", "off"]);
    Server::start_command(command)
}

/// Returns the arguments of env(1) that emulate a camera.
fn camera(frames: &Path) -> [String; 2] {
    let library = fakecam::library();
    [format!("LD_PRELOAD={}", library.display()), format!("FAKECAM_FRAMES={}", frames.display())]
}
