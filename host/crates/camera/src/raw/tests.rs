//! Encodes known pictures and decodes the result.

use super::format::PlaneLayout;
use super::{EncodeError, Encoder, Layout, PixelFormat, Range};
use crate::dimensions::Dimensions;
use crate::jpeg::{Options, ScanChecker, validate};
use bytes::Bytes;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// White, yellow, cyan, green, magenta, red, blue, black, and two colours that are not at the corners of the cube.
const BARS: [[u8; 3]; 10] = [
    [255, 255, 255],
    [255, 255, 0],
    [0, 255, 255],
    [0, 255, 0],
    [255, 0, 255],
    [255, 0, 0],
    [0, 0, 255],
    [0, 0, 0],
    [200, 120, 40],
    [60, 90, 150],
];

/// The width of a bar: one block of 4:2:0 chroma.
const BAR: usize = 16;

/// The largest accepted difference of decoded values. 8-bit YCbCr cannot hold every RGB value, and limited range holds
/// even fewer.
const TOLERANCE: u8 = 5;

fn dimensions(width: usize, height: usize) -> Dimensions {
    Dimensions { width: u32::try_from(width).unwrap(), height: u32::try_from(height).unwrap() }
}

fn layout(format: PixelFormat, width: usize, height: usize, stride: usize, range: Range) -> Layout {
    Layout { format, dimensions: dimensions(width, height), stride, range }
}

fn bars(x: usize, _: usize) -> [u8; 3] {
    BARS[x / BAR % BARS.len()]
}

/// The textbook conversion (ITU-R BT.601), independent of the one under test.
fn ycbcr([r, g, b]: [u8; 3], range: Range) -> [u8; 3] {
    let [r, g, b] = [r, g, b].map(|value| f64::from(value) / 255.0);
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    let [cb, cr] = [(b - y) / 1.772, (r - y) / 1.402];
    let levels = match range {
        Range::Limited => [16.0 + 219.0 * y, 128.0 + 224.0 * cb, 128.0 + 224.0 * cr],
        Range::Full => [255.0 * y, 128.0 + 255.0 * cb, 128.0 + 255.0 * cr],
    };
    levels.map(|level| level.round() as u8)
}

/// Returns a picture as a frame of a camera. The chroma is that of the upper left pixel of each block; padding is 0xEE.
fn frame(layout: &Layout, picture: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
    let Dimensions { width, height } = layout.dimensions;
    let [width, height] = [width, height].map(|side| usize::try_from(side).unwrap());
    let stride = layout.stride;
    let at = |x: usize, y: usize| ycbcr(picture(x.min(width - 1), y), layout.range);
    let rgb = |order: &[Option<usize>]| {
        let row = |y: usize| {
            (0..width)
                .flat_map(|x| order.iter().map(|part| part.map_or(0x77, |i| picture(x, y)[i])).collect::<Vec<_>>())
                .collect()
        };
        plane(stride, (0..height).map(row))
    };
    let packed = |order: fn([u8; 4]) -> [u8; 4]| {
        let quad = |x: usize, y: usize| {
            let ([left, cb, cr], [right, ..]) = (at(x, y), at(x + 1, y));
            order([left, right, cb, cr])
        };
        plane(stride, (0..height).map(|y| (0..width).step_by(2).flat_map(|x| quad(x, y)).collect()))
    };
    let luma = || plane(stride, (0..height).map(|y| (0..width).map(|x| at(x, y)[0]).collect()));
    // One part yields a plane of samples, two parts yield a plane of pairs.
    let chroma = |step: usize, parts: &[usize]| {
        let row = |y: usize| {
            (0..width).step_by(2).flat_map(|x| parts.iter().map(|&part| at(x, y)[part]).collect::<Vec<_>>()).collect()
        };
        plane(stride * parts.len() / 2, (0..height).step_by(step).map(row))
    };
    const X: Option<usize> = None;
    const R: Option<usize> = Some(0);
    const G: Option<usize> = Some(1);
    const B: Option<usize> = Some(2);
    match &layout.format.code() {
        b"YUYV" => packed(|[y0, y1, cb, cr]| [y0, cb, y1, cr]),
        b"UYVY" => packed(|[y0, y1, cb, cr]| [cb, y0, cr, y1]),
        b"YVYU" => packed(|[y0, y1, cb, cr]| [y0, cr, y1, cb]),
        b"VYUY" => packed(|[y0, y1, cb, cr]| [cr, y0, cb, y1]),
        b"NV12" => [luma(), chroma(2, &[1, 2])].concat(),
        b"NV21" => [luma(), chroma(2, &[2, 1])].concat(),
        b"NV16" => [luma(), chroma(1, &[1, 2])].concat(),
        b"NV61" => [luma(), chroma(1, &[2, 1])].concat(),
        b"YU12" => [luma(), chroma(2, &[1]), chroma(2, &[2])].concat(),
        b"YV12" => [luma(), chroma(2, &[2]), chroma(2, &[1])].concat(),
        b"422P" => [luma(), chroma(1, &[1]), chroma(1, &[2])].concat(),
        b"GREY" => luma(),
        b"YUV3" => plane(stride, (0..height).map(|y| (0..width).flat_map(|x| at(x, y)).collect())),
        b"RGB3" => rgb(&[R, G, B]),
        b"BGR3" => rgb(&[B, G, R]),
        b"RGB4" | b"BX24" | b"BA24" => rgb(&[X, R, G, B]),
        b"BGR4" | b"XR24" | b"AR24" => rgb(&[B, G, R, X]),
        b"XB24" | b"AB24" => rgb(&[R, G, B, X]),
        b"RX24" | b"RA24" => rgb(&[X, B, G, R]),
        _ => panic!("no picture for {}", layout.format),
    }
}

fn plane(stride: usize, rows: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    rows.flat_map(|mut row| {
        row.resize(row.len().max(stride), 0xEE);
        row
    })
    .collect()
}

fn encoded(layout: Layout, raw: &[u8]) -> Bytes {
    Encoder::new(layout, 95).unwrap().encode(raw).unwrap()
}

/// Returns the decoded pixels and the width.
fn decoded(jpeg: &[u8]) -> (Vec<[u8; 3]>, usize) {
    let options = DecoderOptions::new_fast().jpeg_set_out_colorspace(ColorSpace::RGB).set_max_width(65_535);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    let pixels = decoder.decode().expect("the JPEG is valid");
    let (width, height) = decoder.dimensions().unwrap();
    let pixels = pixels.as_chunks::<3>().0.to_vec();
    assert_eq!(pixels.len(), width * height);
    (pixels, width)
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u8 {
    a.into_iter().zip(b).map(|(a, b)| a.abs_diff(b)).max().unwrap()
}

fn expected(format: PixelFormat, colour: [u8; 3]) -> [u8; 3] {
    if format.has_colour() { colour } else { [ycbcr(colour, Range::Full)[0]; 3] }
}

/// Encodes bars in every format and range, and checks the middle of each bar.
fn check_bars(width: usize, height: usize, stride: impl Fn(PixelFormat) -> usize) {
    for &format in PixelFormat::ALL {
        for range in [Range::Limited, Range::Full] {
            let layout = layout(format, width, height, stride(format), range);
            let raw = frame(&layout, bars);
            assert_eq!(raw.len(), layout.frame_length(), "{format}");
            let (pixels, decoded_width) = decoded(&encoded(layout, &raw));
            assert_eq!((decoded_width, pixels.len()), (width, width * height), "{format}");
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                // Decoders blend chroma near the edges of bars.
                if !(4..12).contains(&(x % BAR)) {
                    continue;
                }
                let (found, expected) = (pixels[y * width + x], expected(format, bars(x, y)));
                let message = format!("{format} {range:?} at {x},{y}: {found:?} instead of {expected:?}");
                assert!(distance(found, expected) <= TOLERANCE, "{message}");
            }
        }
    }
}

/// Returns the stride of the first plane with `padding` bytes per row.
fn padded(format: PixelFormat, width: usize, padding: usize) -> usize {
    let row = match format.plane_layout() {
        PlaneLayout::Packed => width.div_ceil(2) * 4,
        PlaneLayout::Pixels { bytes } => width * bytes,
        PlaneLayout::Grey | PlaneLayout::SemiPlanar(_) | PlaneLayout::Planar(_) => width,
    };
    row + padding
}

#[test]
fn every_format_preserves_colours() {
    check_bars(BAR * BARS.len(), 32, |_| 0);
}

#[test]
fn row_padding_is_ignored() {
    check_bars(BAR * BARS.len(), 32, |format| padded(format, BAR * BARS.len(), 64));
}

#[test]
fn heights_that_do_not_fill_a_block_preserve_colours() {
    for height in [1, 2, 7, 17, 18, 25] {
        check_bars(BAR * BARS.len(), height, |_| 0);
    }
}

#[test]
fn odd_widths_preserve_colours() {
    for width in [BAR - 1, BAR * 3 + 5, BAR * BARS.len() - 7] {
        // V4L2 drivers use even strides.
        check_bars(width, 9, |format| padded(format, width, 1));
    }
}

#[test]
fn rows_stay_in_place() {
    let down = |_: usize, y: usize| BARS[y / BAR % BARS.len()];
    for &format in PixelFormat::ALL {
        let layout = layout(format, 16, BAR * BARS.len(), 0, Range::Limited);
        let (pixels, width) = decoded(&encoded(layout, &frame(&layout, down)));
        for (bar, &colour) in BARS.iter().enumerate() {
            let found = pixels[(bar * BAR + BAR / 2) * width + 8];
            assert!(distance(found, expected(format, colour)) <= TOLERANCE, "{format} {bar}: {found:?}");
        }
    }
}

#[test]
fn the_same_picture_looks_the_same_in_every_format() {
    // Blocks of four pixels have the same colour, so the choice of the chroma sample does not matter.
    let picture = |x: usize, y: usize| {
        let (x, y) = (x & !1, y & !1);
        [40 + x, 60 + 2 * y, 200 - x].map(|level| u8::try_from(level).unwrap())
    };
    let (width, height) = (96, 64);
    let decode = |format| {
        let layout = layout(format, width, height, 0, Range::Full);
        decoded(&encoded(layout, &frame(&layout, picture))).0
    };
    let reference = decode(PixelFormat::Rgb24);
    for &format in PixelFormat::ALL.iter().filter(|format| format.has_colour()) {
        let worst = reference.iter().zip(decode(format)).map(|(&a, b)| distance(a, b)).max().unwrap();
        assert!(worst <= 4, "{format} is {worst} levels off");
    }
}

#[test]
fn formats_that_differ_only_in_order_yield_the_same_bytes() {
    let image = |code: &[u8; 4]| {
        let layout = layout(PixelFormat::from_code(*code).unwrap(), 100, 50, 0, Range::Limited);
        encoded(layout, &frame(&layout, bars))
    };
    for same in [
        &[b"YUYV", b"UYVY", b"YVYU", b"VYUY", b"NV16", b"NV61", b"422P"][..],
        &[b"NV12", b"NV21", b"YU12", b"YV12"],
        &[b"RGB3", b"BGR3", b"RGB4", b"BGR4", b"BX24", b"XR24", b"XB24", b"RX24", b"AR24", b"AB24"],
    ] {
        assert!(same.iter().all(|code| image(code) == image(same[0])), "{same:?}");
    }
}

#[test]
fn chroma_of_neighbouring_rows_is_averaged() {
    let layout = layout(PixelFormat::Yuyv, 16, 16, 0, Range::Full);
    let raw: Vec<u8> = (0..16).flat_map(|y| [128, if y % 2 == 0 { 148 } else { 108 }, 128, 128].repeat(8)).collect();
    let (pixels, _) = decoded(&encoded(layout, &raw));
    assert!(pixels.iter().all(|&pixel| distance(pixel, [128; 3]) <= 2), "{:?}", pixels[0]);
}

/// A picture with fine detail: a sawtooth in each direction, and noise.
fn texture(x: usize, y: usize) -> [u8; 3] {
    let noise = (x * 31 + y * 17).wrapping_mul(0x9E37_79B9) >> 8 & 15;
    [x * 3 % 200 + noise, (x + 2 * y) % 220 + noise, y * 5 % 180 + 2 * noise].map(|level| u8::try_from(level).unwrap())
}

/// Returns the mean squared difference from a picture.
fn error(jpeg: &[u8], picture: impl Fn(usize, usize) -> [u8; 3]) -> f64 {
    let (pixels, width) = decoded(jpeg);
    let errors = pixels.iter().enumerate().flat_map(|(at, pixel)| {
        let expected = picture(at % width, at / width);
        (0..3).map(move |part| f64::from(pixel[part].abs_diff(expected[part])).powi(2))
    });
    errors.sum::<f64>() / pixels.len() as f64
}

/// Another implementation confirms the tables and the quality.
#[test]
fn images_are_as_good_and_as_small_as_those_of_another_encoder() {
    let (width, height) = (150, 90);
    let layout = layout(PixelFormat::Rgb24, width, height, 0, Range::Full);
    let raw = frame(&layout, texture);
    for quality in [1, 10, 50, 80, 95, 100] {
        let jpeg = Encoder::new(layout, quality).unwrap().encode(&raw).unwrap();
        let mut other = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut other, quality);
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_2_0);
        encoder.set_chroma_subsampling_method(jpeg_encoder::ChromaSubsamplingMethod::Average);
        encoder.encode(&raw, 150, 90, jpeg_encoder::ColorType::Rgb).unwrap();
        assert_eq!(quantization_tables(&jpeg), quantization_tables(&other), "quality {quality}");
        let [error, other_error] = [error(&jpeg, texture), error(&other, texture)];
        assert!(error < other_error * 1.03 + 0.1, "quality {quality}: {error} instead of {other_error}");
        assert!(jpeg.len() as f64 * 0.97 < other.len() as f64, "quality {quality}: {} {}", jpeg.len(), other.len());
    }
}

/// Returns the entries of both tables (ITU-T T.81, B.2.4.1), whether they share a segment or not.
fn quantization_tables(jpeg: &[u8]) -> [Vec<u8>; 2] {
    let mut tables = [Vec::new(), Vec::new()];
    let mut rest = &jpeg[2..];
    while let [0xFF, marker @ ..=0xD9 | marker @ 0xDB.., high, low, ..] = *rest {
        let (segment, following) = rest.split_at(2 + usize::from(u16::from_be_bytes([high, low])));
        if marker == 0xDB {
            segment[4..].chunks(65).for_each(|table| tables[usize::from(table[0])] = table[1..].to_vec());
        }
        rest = following;
    }
    tables
}

/// Returns the identifiers and sampling factors of the components (ITU-T T.81, B.2.2).
fn components(jpeg: &[u8]) -> Vec<[u8; 2]> {
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("the image is baseline");
    let entries = jpeg[frame + 10..].chunks(3).take(usize::from(jpeg[frame + 9]));
    entries.map(|entry| [entry[0], entry[1]]).collect()
}

#[test]
fn colour_yields_three_components_and_grey_yields_one() {
    for &format in PixelFormat::ALL {
        let layout = layout(format, 20, 10, 0, Range::Full);
        let jpeg = encoded(layout, &frame(&layout, bars));
        if format.has_colour() {
            assert_eq!(components(&jpeg), [[1, 0x22], [2, 0x11], [3, 0x11]], "{format}");
        } else {
            assert_eq!(components(&jpeg), [[1, 0x11]], "{format}");
        }
    }
}

#[test]
fn images_are_baseline_jfif() {
    let layout = layout(PixelFormat::Yuyv, 20, 10, 0, Range::Full);
    let jpeg = encoded(layout, &frame(&layout, bars));
    assert!(jpeg.starts_with(b"\xFF\xD8\xFF\xE0\x00\x10JFIF\0"));
    assert!(jpeg.windows(2).any(|pair| pair == [0xFF, 0xC0]));
    assert!(jpeg.ends_with(&[0xFF, 0xD9]));
}

#[test]
fn several_threads_yield_the_same_pixels() {
    for (format, width, height) in
        [(PixelFormat::Yuyv, 100, 120), (PixelFormat::Nv12, 33, 161), (PixelFormat::Grey, 70, 90)]
    {
        let layout = layout(format, width, height, 0, Range::Limited);
        let raw = frame(&layout, texture);
        let mut encoder = Encoder::new(layout, 80).unwrap();
        let single = encoder.encode(&raw).unwrap();
        for threads in [2, 3, 7, 10, 1000] {
            encoder.set_threads(threads);
            let divided = encoder.encode(&raw).unwrap();
            assert_ne!(divided, single, "{format}: the picture was not divided");
            assert_eq!(decoded(&divided), decoded(&single), "{format} {threads}");
            let info = validate(&divided, Options::default()).unwrap();
            assert!(info.is_complete(), "{format} {threads}");
            ScanChecker::default().check(&divided, &info).unwrap();
        }
        encoder.set_threads(1);
        assert_eq!(encoder.encode(&raw).unwrap(), single, "{format}");
    }
}

#[test]
fn tiny_pictures_encode_in_every_format() {
    for &format in PixelFormat::ALL {
        for (width, height) in [(1, 1), (1, 2), (2, 1), (3, 3), (1, 17), (17, 1)] {
            let layout = layout(format, width, height, 0, Range::Full);
            let raw = vec![128; layout.frame_length()];
            let (pixels, decoded_width) = decoded(&encoded(layout, &raw));
            assert_eq!((pixels.len(), decoded_width), (width * height, width), "{format}");
            assert!(distance(pixels[0], [128; 3]) <= 2, "{format} {:?}", pixels[0]);
        }
    }
}

#[test]
fn a_short_frame_is_an_error_and_a_long_one_is_not() {
    for &format in PixelFormat::ALL {
        let layout = layout(format, 33, 17, 0, Range::Limited);
        let mut encoder = Encoder::new(layout, 80).unwrap();
        let mut raw = vec![100; layout.frame_length()];
        let exact = encoder.encode(&raw).unwrap();
        for length in [0, 1, raw.len() / 2, raw.len() - 1] {
            let error = encoder.encode(&raw[..length]).unwrap_err();
            assert!(matches!(error, EncodeError::Short { actual, .. } if actual == length), "{error}");
        }
        raw.extend([7; 100]);
        assert_eq!(encoder.encode(&raw).unwrap(), exact, "the encoder failed after an error");
    }
}

#[test]
fn sizes_beyond_the_limits_of_jpeg_are_rejected() {
    for (width, height) in [(0, 10), (10, 0), (65_536, 10), (10, 65_536)] {
        let error = Encoder::new(layout(PixelFormat::Yuyv, width, height, 0, Range::Full), 80).unwrap_err();
        assert!(matches!(error, EncodeError::Dimensions(_)), "{error}");
    }
    let widest = layout(PixelFormat::Grey, 65_535, 1, 0, Range::Full);
    assert_eq!(decoded(&encoded(widest, &vec![0; 65_535])).1, 65_535);
}

#[test]
fn qualities_out_of_range_are_rejected() {
    let layout = layout(PixelFormat::Yuyv, 16, 16, 0, Range::Full);
    for quality in [0, 101, 255] {
        assert!(matches!(Encoder::new(layout, quality), Err(EncodeError::Quality(found)) if found == quality));
    }
}

#[test]
fn a_higher_quality_yields_a_larger_image() {
    let layout = layout(PixelFormat::Yuyv, 160, 120, 0, Range::Limited);
    let raw = frame(&layout, |x, y| bars(x * 7 + y * 3, y));
    let size = |quality| Encoder::new(layout, quality).unwrap().encode(&raw).unwrap().len();
    assert!(size(1) < size(50) && size(50) < size(80) && size(80) < size(100));
}

#[test]
fn extreme_patterns_encode_at_the_best_quality() {
    let layout = layout(PixelFormat::Yuyv, 64, 64, 0, Range::Full);
    let mut encoder = Encoder::new(layout, 100).unwrap();
    let mut seed = 1_u32;
    let mut noise = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if seed >> 31 == 0 { 0 } else { 255 }
    };
    for period in 1..=8 {
        let patterns: [&mut dyn FnMut(usize) -> u8; 3] = [
            &mut |at| if at / period % 2 == 0 { 0 } else { 255 },
            &mut |at| if (at / period + at / 128 / period) % 2 == 0 { 0 } else { 255 },
            &mut |_| noise(),
        ];
        for pattern in patterns {
            let raw: Vec<u8> = (0..layout.frame_length()).map(pattern).collect();
            decoded(&encoder.encode(&raw).unwrap());
        }
    }
}
