//! The instructions of the steps between a camera and its viewers, counted by Callgrind: `cargo bench --bench
//! instructions`. Unlike times, the counts are the same on a busy machine, so a change of one per cent is visible. They
//! leave out the kernel and waiting for memory. Needs valgrind(1).

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and prints"
)]

use std::env;
use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hotshoe::camera::jpeg::{Options, ScanChecker, copy_complete, find_image, validate};
use hotshoe::channels::{Channels, Part, ViewerOptions};
use hotshoe_test_support::workspace;

/// The environment variable with the piece that this program runs instead of counting.
const PIECE: &str = "HOTSHOE_BENCH_PIECE";

type Piece = (&'static str, fn());

const PIECES: [Piece; 4] = [
    ("copy an image out of a buffer", copy_image),
    ("check the data of an image", check_image),
    ("push a part to 1 viewer", || push_part(1)),
    ("push a part to 100 viewers", || push_part(100)),
];

fn main() {
    if let Ok(piece) = env::var(PIECE) {
        let (_, run) = PIECES.into_iter().find(|(name, _)| *name == piece).unwrap();
        return run();
    }
    println!("Instructions of one run, with an image of {} bytes.\n", image().len());
    println!("| piece | instructions |");
    println!("| --- | --- |");
    for (name, _) in PIECES {
        println!("| {name} | {} |", count(name));
    }
}

/// Runs a piece under Callgrind. Returns the number of instructions within [`counted`].
fn count(piece: &str) -> u64 {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*instructions*counted*"]);
    let output = valgrind.arg(env::current_exe().unwrap()).env(PIECE, piece).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let line = log.lines().find_map(|line| line.split_once("Collected :"));
    line.unwrap_or_else(|| panic!("{log}")).1.trim().parse().unwrap()
}

/// Runs a step twice, so that what is done only once does not count.
fn warm(mut step: impl FnMut()) {
    step();
    counted(&mut step);
}

/// Callgrind counts only while this function runs. Its name must stay in the program.
#[inline(never)]
fn counted(step: &mut dyn FnMut()) {
    step();
    black_box(());
}

/// Returns a JPEG of 640x480 pixels.
fn image() -> Bytes {
    fs::read(workspace().join("frames/1.jpg")).unwrap().into()
}

fn copy_image() {
    let buffer = image();
    warm(|| {
        let (image, info) = find_image(black_box(&buffer), Options::default()).unwrap();
        black_box(copy_complete(image, &info));
    });
}

fn check_image() {
    let image = image();
    let info = validate(&image, Options::default()).unwrap();
    let mut checker = ScanChecker::default();
    warm(|| checker.check(black_box(&image), &info).unwrap());
}

fn push_part(count: usize) {
    let (channels, mut new_channels) = Channels::new(1);
    let mut viewers: Vec<_> = (0..count).map(|_| channels.join("feed", ViewerOptions::default()).unwrap()).collect();
    let publisher = new_channels.try_recv().unwrap().publisher(1);
    let image = image();
    let mut context = Context::from_waker(Waker::noop());
    warm(|| {
        publisher.push(Part::new(Bytes::from_static(b"head"), image.clone(), Bytes::from_static(b"tail")));
        for viewer in &mut viewers {
            assert!(matches!(viewer.poll_next(&mut context), Poll::Ready(Some(_))));
        }
    });
}
