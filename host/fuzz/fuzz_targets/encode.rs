//! Encoding raw frames of any layout. Every image must be valid, and its pixels the same with any number of threads.
#![no_main]

use hotshoe_camera::pixels::{Decoder, Format, Picture, Scale};
use hotshoe_camera::raw::{EncodeError, Encoder, Layout, PixelFormat, Range};
use hotshoe_camera::{Dimensions, JpegImage};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

/// Sides and padding are smaller, so that most of the time is spent on encoding.
const MAX_SIDE: u16 = 300;
const MAX_PADDING: u8 = 70;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    format: u8,
    width: u16,
    height: u16,
    padding: u8,
    is_full_range: bool,
    quality: u8,
    threads: u8,
    /// The frame is this many bytes too short.
    missing: u8,
    /// Repeated until they fill the frame.
    pixels: &'a [u8],
}

fn decode(encoder: &mut Encoder, frame: &[u8], dimensions: Dimensions) -> Picture {
    let image = JpegImage::new(encoder.encode(frame).unwrap()).unwrap();
    assert_eq!(image.dimensions, dimensions);
    Decoder::default().decode(&image, Scale::Full, Format::Yuv).unwrap()
}

fuzz_target!(|input: Input<'_>| {
    let format = PixelFormat::ALL[usize::from(input.format) % PixelFormat::ALL.len()];
    let [width, height] = [input.width, input.height].map(|side| u32::from(side % (MAX_SIDE + 1)));
    let dimensions = Dimensions { width, height };
    let range = if input.is_full_range { Range::Full } else { Range::Limited };
    let packed = Layout { format, dimensions, stride: 0, range };
    let stride = packed.frame_length() / height.max(1) as usize + usize::from(input.padding % MAX_PADDING);
    let layout = Layout { stride, ..packed };
    let mut encoder = match Encoder::new(layout, input.quality) {
        Ok(encoder) => encoder,
        Err(EncodeError::Dimensions(_)) => return assert!(width == 0 || height == 0),
        Err(EncodeError::Quality(_)) => return assert!(!(1..=100).contains(&input.quality)),
        Err(error) => panic!("{error}"),
    };
    let pixels = if input.pixels.is_empty() { &[0x80] } else { input.pixels };
    let frame: Vec<u8> = pixels.iter().copied().cycle().take(layout.frame_length()).collect();
    if input.missing > 0 {
        let short = frame.get(..frame.len().saturating_sub(input.missing.into())).unwrap_or_default();
        assert!(matches!(encoder.encode(short), Err(EncodeError::Short { .. })));
    }
    let with_one_thread = decode(&mut encoder, &frame, dimensions);
    encoder.set_threads(1 + usize::from(input.threads % 4));
    let with_more = decode(&mut encoder, &frame, dimensions);
    assert!(with_one_thread.pixels() == with_more.pixels());
});
