//! The JPEG files for the emulated camera.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use crate::server::program;

const SIZES: [(u16, u16); 3] = [(640, 480), (1280, 720), (1920, 1080)];
/// The number of frames of each size.
const COUNT: usize = 30;
/// Produces files of the same length as a USB camera: 70 kB at 640x480, 190 kB at 1280x720.
const QUALITY: u8 = 85;
/// The amplitude of the noise. Noise makes the files as long as those of a camera, and every bit visible, so that tests
/// notice a wrong one.
const NOISE: u8 = 10;
/// The movement between two frames, in pixels.
const STEP: usize = 16;

/// Returns the folder with the files. They are created once, next to the build's output.
pub fn frames() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| create(&program().parent().unwrap().join("fakecam-frames"))).clone()
}

/// Creates the folder, unless it exists.
fn create(folder: &Path) -> PathBuf {
    if !folder.is_dir() {
        let new = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
        thread::scope(|scope| {
            for size in SIZES {
                let folder = new.path();
                scope.spawn(move || write(folder, size));
            }
        });
        // Atomic. Fails if another test program was faster, which wrote the same files.
        let renamed = fs::rename(new.path(), folder);
        assert!(folder.is_dir(), "{}: {renamed:?}", folder.display());
    }
    folder.to_owned()
}

/// Writes the files of one size: an image that moves to the left.
fn write(folder: &Path, (width, height): (u16, u16)) {
    let (columns, rows) = (usize::from(width), usize::from(height));
    let wide = columns + COUNT * STEP;
    let panorama = panorama(wide, rows);
    let mut picture = Vec::new();
    for number in 0..COUNT {
        picture.clear();
        for row in panorama.chunks_exact(wide * 3) {
            picture.extend_from_slice(&row[number * STEP * 3..][..columns * 3]);
        }
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, QUALITY);
        // Uses the standard Huffman tables, which a camera may omit.
        encoder.set_sampling_factor(SamplingFactor::R_4_2_2);
        encoder.encode(&picture, width, height, ColorType::Ycbcr).unwrap();
        fs::write(folder.join(format!("{width}x{height}-{number:03}.jpg")), jpeg).unwrap();
    }
}

/// Draws gradients with noise, as Y, Cb and Cr.
fn panorama(columns: usize, rows: usize) -> Vec<u8> {
    // xorshift (Marsaglia, 2003) with a fixed seed, so that the files are always the same.
    let mut state = 0x2545_F491_u32;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 16) as u8 % (2 * NOISE + 1)
    };
    let mut pixels = Vec::with_capacity(columns * rows * 3);
    for row in 0..rows {
        for column in 0..columns {
            let luma = 64 + ((column / 2 + row / 3) % 128) as u8;
            pixels.push(luma - NOISE + noise());
            pixels.push((64 + column * 128 / columns) as u8);
            pixels.push((64 + row * 128 / rows) as u8);
        }
    }
    pixels
}
