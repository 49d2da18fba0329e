//! Compares two ways to detect damaged JPEG images: walking the Huffman codes ([`ScanChecker`]) and decoding the image
//! in zune-jpeg's strict mode.
//!
//! `cargo run -p hotshoe-camera --example jpeg_damage [IMAGE...]` damages each image many times and prints how often
//! each check notices, and what each check costs. Without arguments it uses the images of the repository. The damages
//! are pseudo-random and the same in every run.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "an experiment that prints its results and stops when anything goes wrong"
)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hotshoe_camera::jpeg::{Options, ScanChecker, validate};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Damages of each kind that each image gets.
const REPETITIONS: usize = 200;

/// Times that an undamaged image is checked to measure the cost.
const RUNS: u32 = 20;

/// A damage is visible if more than one pixel in `VISIBLE_PIXELS` differs by more than `VISIBLE_LEVELS`.
const VISIBLE_PIXELS: usize = 2000;
const VISIBLE_LEVELS: u8 = 16;

/// The longest run of bytes that is lost or overwritten: a few packets of a USB transfer.
const LONGEST_RUN: usize = 1024;

/// A linear congruential generator, so that every run makes the same damages.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// What happens to the entropy-coded data.
type Damage = fn(&mut Vec<u8>, &mut Random);

const DAMAGES: [(&str, Damage); 7] = [
    ("one bit flipped", |data, random| {
        let at = random.below(data.len());
        data[at] ^= 1 << random.below(8);
    }),
    ("one byte changed", |data, random| {
        let at = random.below(data.len());
        data[at] ^= 1 + random.below(255) as u8;
    }),
    ("a run zeroed", |data, random| {
        let (start, end) = run(data, random);
        data[start..end].fill(0);
    }),
    ("a run overwritten", |data, random| {
        let (start, end) = run(data, random);
        data[start..end].fill_with(|| random.below(256) as u8);
    }),
    ("a run removed", |data, random| {
        let (start, end) = run(data, random);
        data.drain(start..end);
    }),
    ("a run inserted", |data, random| {
        let (start, end) = run(data, random);
        let run = data[start..end].to_vec();
        let at = random.below(data.len());
        data.splice(at..at, run);
    }),
    ("the end cut off", |data, random| data.truncate(random.below(data.len()))),
];

/// A range of at least 1 and at most [`LONGEST_RUN`] bytes.
fn run(data: &[u8], random: &mut Random) -> (usize, usize) {
    let start = random.below(data.len());
    let length = 1 + random.below(LONGEST_RUN.min(data.len() - start));
    (start, start + length)
}

/// The pixels, decoded without colour conversion, or `None` if the decoder refuses the image.
fn decode(image: &[u8], strict: bool) -> Option<Vec<u8>> {
    let options = DecoderOptions::new_fast().set_strict_mode(strict).jpeg_set_out_colorspace(ColorSpace::YCbCr);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(image), options);
    decoder.decode_headers().ok()?;
    if decoder.input_colorspace() == Some(ColorSpace::Luma) {
        let options = options.jpeg_set_out_colorspace(ColorSpace::Luma);
        decoder = JpegDecoder::new_with_options(ZCursor::new(image), options);
    }
    decoder.decode().ok()
}

/// Whether a viewer sees a difference between the images.
fn differs(original: &[u8], pixels: Option<Vec<u8>>) -> bool {
    let Some(pixels) = pixels else { return true };
    let wrong = original.iter().zip(&pixels).filter(|(a, b)| a.abs_diff(**b) > VISIBLE_LEVELS).count();
    original.len() != pixels.len() || wrong > original.len() / VISIBLE_PIXELS
}

/// How often each check noticed damages of one kind.
#[derive(Clone, Copy, Default)]
struct Rates {
    total: usize,
    visible: usize,
    walk: usize,
    strict: usize,
    /// Of the visible damages.
    visible_walk: usize,
    visible_strict: usize,
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

fn time(mut check: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    for _ in 0..RUNS {
        assert!(black_box(check()), "an undamaged image is refused");
    }
    start.elapsed() / RUNS
}

fn images() -> Vec<PathBuf> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if !arguments.is_empty() {
        return arguments;
    }
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [crate_folder.join("tests/fixtures"), crate_folder.join("../../../frames")];
    let mut files: Vec<_> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jpg"));
    files.sort();
    files
}

fn main() {
    let mut random = Random(1);
    let mut rates = [Rates::default(); DAMAGES.len()];
    let mut checker = ScanChecker::default();
    println!("{:<32} {:>9} {:>10} {:>10} {:>7}", "image", "bytes", "walk", "strict", "ratio");
    for path in images() {
        let image = std::fs::read(&path).unwrap();
        let info = validate(&image, Options::default()).unwrap();
        if !info.headers.single_scan {
            continue;
        }
        let image = &image[..info.length];
        let walk = time(|| checker.check(image, &info).is_ok());
        let strict = time(|| decode(image, true).is_some());
        println!(
            "{:<32} {:>9} {:>10.2?} {:>10.2?} {:>6.1}x",
            path.file_name().unwrap().to_string_lossy(),
            image.len(),
            walk,
            strict,
            strict.as_secs_f64() / walk.as_secs_f64()
        );
        let original = decode(image, false).unwrap();
        let (head, data) = (&image[..info.headers.data_offset], &image[info.headers.data_offset..image.len() - 2]);
        for ((_, damage), rates) in DAMAGES.iter().zip(&mut rates) {
            for _ in 0..REPETITIONS {
                let mut data = data.to_vec();
                damage(&mut data, &mut random);
                let damaged = [head, &data, &[0xFF, 0xD9]].concat();
                // Both checks follow the check of the structure, which cuts off what follows an end marker.
                let info = validate(&damaged, Options::default());
                let walk = info.and_then(|info| checker.check(&damaged, &info)).is_err();
                let strict = info.is_err() || decode(&damaged[..info.unwrap().length], true).is_none();
                let visible = differs(&original, decode(&damaged, false));
                rates.total += 1;
                rates.visible += usize::from(visible);
                rates.walk += usize::from(walk);
                rates.strict += usize::from(strict);
                rates.visible_walk += usize::from(visible && walk);
                rates.visible_strict += usize::from(visible && strict);
            }
        }
    }
    println!(
        "\n{:<18} {:>7} {:>7} {:>7} | of the visible: {:>6} {:>7}",
        "damage", "visible", "walk", "strict", "walk", "strict"
    );
    for ((name, _), rates) in DAMAGES.iter().zip(rates) {
        println!(
            "{name:<18} {:>6.1}% {:>6.1}% {:>6.1}% | {:>21.1}% {:>6.1}%",
            percent(rates.visible, rates.total),
            percent(rates.walk, rates.total),
            percent(rates.strict, rates.total),
            percent(rates.visible_walk, rates.visible),
            percent(rates.visible_strict, rates.visible)
        );
    }
}
