//! The cost of the steps between a camera and its viewers: `cargo bench --bench pieces`.
#![allow(missing_docs, clippy::unwrap_used, reason = "benchmarks fail by panicking")]

use std::fs;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use divan::{Bencher, black_box};
use hotshoe::camera::jpeg::{Options, ScanChecker, copy_complete, validate};
use hotshoe::camera::pixels::{Decoder, Format as PictureFormat, Scale};
use hotshoe::camera::raw::{Encoder, Layout, PixelFormat, Range};
use hotshoe::camera::{Dimensions, JpegImage};
use hotshoe::channels::{Channels, Part, ViewerOptions};
use hotshoe_test_support::workspace;

fn main() {
    divan::main();
}

/// Returns a JPEG of 640x480 pixels.
fn image() -> Bytes {
    fs::read(workspace().join("frames/1.jpg")).unwrap().into()
}

/// Finds the segments and the end of a JPEG.
#[divan::bench]
fn jpeg_validate(bencher: Bencher) {
    let image = image();
    bencher.bench(|| validate(black_box(&image), Options::default()));
}

/// Copies a JPEG out of the driver's buffer.
#[divan::bench]
fn jpeg_copy(bencher: Bencher) {
    let image = image();
    let info = validate(&image, Options::default()).unwrap();
    bencher.bench(|| copy_complete(black_box(&image), &info));
}

/// Checks the Huffman codes of a JPEG for damage.
#[divan::bench]
fn jpeg_check(bencher: Bencher) {
    let image = image();
    let info = validate(&image, Options::default()).unwrap();
    let mut checker = ScanChecker::default();
    bencher.bench_local(|| checker.check(black_box(&image), &info));
}

/// Encodes raw pixels as a JPEG.
#[divan::bench(args = ["YUYV", "NV12", "BGR3", "BGR4"], consts = [720, 1080])]
fn encode<const HEIGHT: u32>(bencher: Bencher, format: &str) {
    let format = PixelFormat::from_code(*format.as_bytes().first_chunk().unwrap()).unwrap();
    let dimensions = Dimensions { width: HEIGHT * 16 / 9, height: HEIGHT };
    let layout = Layout { format, dimensions, stride: 0, range: Range::Limited };
    // Gradients, which are harder to encode than flat areas and easier than noise.
    let pixels: Vec<u8> = (0..layout.frame_length()).map(|at| (at * 7 / 3 + (at >> 9) * 5) as u8).collect();
    let mut encoder = Encoder::new(layout, 80).unwrap();
    bencher.bench_local(|| encoder.encode(black_box(&pixels)));
}

/// Returns a JPEG of 1280x720 pixels and 150 kB: gradients with noise.
fn large_image() -> JpegImage {
    let dimensions = Dimensions { width: 1280, height: 720 };
    let layout = Layout { format: PixelFormat::Yuyv, dimensions, stride: 0, range: Range::Full };
    let noise = |at: usize| (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60;
    let pixels: Vec<u8> = (0..layout.frame_length()).map(|at| ((at >> 6) + noise(at) as usize) as u8).collect();
    JpegImage::new(Encoder::new(layout, 80).unwrap().encode(&pixels).unwrap()).unwrap()
}

/// Decodes a JPEG of 1280x720 pixels.
#[divan::bench(args = Scale::ALL, consts = [1, 3])]
fn decode<const BYTES: usize>(bencher: Bencher, scale: Scale) {
    let image = large_image();
    let mut decoder = Decoder::default();
    let format = if BYTES == 1 { PictureFormat::Luma } else { PictureFormat::Rgb };
    bencher.bench_local(|| decoder.decode(black_box(&image), scale, format));
}

/// Pushes a part and polls it from all viewers.
#[divan::bench(args = [1, 100, 1000])]
fn fan_out(bencher: Bencher, count: usize) {
    let (channels, mut new_channels) = Channels::new(1);
    let mut viewers: Vec<_> = (0..count).map(|_| channels.join("feed", ViewerOptions::default()).unwrap()).collect();
    let publisher = new_channels.try_recv().unwrap().publisher(1);
    let image = image();
    let mut context = Context::from_waker(Waker::noop());
    bencher.bench_local(|| {
        publisher.push(Part::new(Bytes::from_static(b"head"), image.clone(), Bytes::from_static(b"tail")));
        for viewer in &mut viewers {
            assert!(matches!(viewer.poll_next(&mut context), Poll::Ready(Some(_))));
        }
    });
}
