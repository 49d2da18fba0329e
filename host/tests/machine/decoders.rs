//! Decoded pixels, compared with those that another decoder, ffmpeg, makes of the same images.

use std::ops::Range;
use std::process::Command;

use hotshoe::camera::pixels::{Decoder, Format, Scale};
use hotshoe::camera::{Dimensions, JpegImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::harness::run_successfully;

/// Two decoders may round the inverse transform and the conversion of colours differently.
const TOLERANCE: f64 = 2.0;

/// A block's DC coefficient is the mean of its values before they are cut off at 0 and 255.
const TOLERANCE_OF_MEANS: f64 = 4.0;

/// Whole and partial MCUs, a single row and a single column.
const SIZES: [(u16, u16); 6] = [(96, 64), (91, 61), (33, 17), (9, 8), (70, 1), (1, 70)];

/// How chroma is coded: the name that ffmpeg gives it, and how many pixels a sample covers in each direction.
#[derive(Clone, Copy)]
struct Coding {
    name: &'static str,
    across: usize,
    down: usize,
}

const fn coding(name: &'static str, across: usize, down: usize) -> Coding {
    Coding { name, across, down }
}

const GREY: Coding = coding("gray", 0, 0);
const YUV_420: Coding = coding("yuvj420p", 2, 2);
const YUV_422: Coding = coding("yuvj422p", 2, 1);
const YUV_440: Coding = coding("yuvj440p", 1, 2);
const YUV_444: Coding = coding("yuvj444p", 1, 1);
const YUV_411: Coding = coding("yuvj411p", 4, 1);

const CODINGS: [(Coding, SamplingFactor); 6] = [
    (GREY, SamplingFactor::R_4_4_4),
    (YUV_420, SamplingFactor::R_4_2_0),
    (YUV_422, SamplingFactor::R_4_2_2),
    (YUV_440, SamplingFactor::R_4_4_0),
    (YUV_444, SamplingFactor::R_4_4_4),
    (YUV_411, SamplingFactor::R_4_1_1),
];

/// The restart interval, and whether the image is progressive.
const MODES: [(u16, bool); 5] = [(0, false), (1, false), (5, false), (0, true), (5, true)];

/// One component as ffmpeg decodes it.
struct Plane {
    samples: Vec<u8>,
    width: usize,
    /// How many pixels a sample covers in each direction.
    across: usize,
    down: usize,
}

/// What is in a part of a plane.
struct Found {
    least: f64,
    mean: f64,
    most: f64,
}

impl Plane {
    /// The samples in these columns and rows of the picture and, if `widened`, their neighbours, with which a decoder
    /// may interpolate.
    fn find(&self, columns: &Range<usize>, rows: &Range<usize>, widened: usize) -> Found {
        let height = self.samples.len() / self.width;
        let part = |range: &Range<usize>, by: usize, limit: usize| {
            (range.start / by).saturating_sub(widened)..((range.end - 1) / by + 1 + widened).min(limit)
        };
        let columns = part(columns, self.across, self.width);
        let samples = part(rows, self.down, height)
            .flat_map(|row| &self.samples[row * self.width..][columns.clone()])
            .map(|sample| f64::from(*sample));
        let (mut least, mut most, mut sum, mut count) = (255.0_f64, 0.0_f64, 0.0, 0.0);
        for sample in samples {
            (least, most, sum, count) = (least.min(sample), most.max(sample), sum + sample, count + 1.0);
        }
        Found { least, mean: sum / count, most }
    }
}

/// A picture with gradients, a disc of another colour, and noise.
fn scene(width: u16, height: u16) -> Vec<u8> {
    let mut random = 0x2545_F491_u32;
    let mut pixel = |x: i32, y: i32| {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        let noise = (random % 9) as i32 - 4;
        let is_disc = (x % 64 - 30).pow(2) + (y % 64 - 30).pow(2) < 400;
        let colour = if is_disc { [220, 40, 60] } else { [x, 90 + y, 255 - x] };
        colour.map(|value: i32| (value.rem_euclid(256) + noise).clamp(0, 255) as u8)
    };
    (0..i32::from(height))
        .flat_map(|y| (0..i32::from(width)).map(move |x| (x, y)))
        .flat_map(|(x, y)| pixel(x, y))
        .collect()
}

fn encode(
    (width, height): (u16, u16),
    sampling: SamplingFactor,
    is_grey: bool,
    (restart, progressive): (u16, bool),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 92);
    encoder.set_sampling_factor(sampling);
    encoder.set_restart_interval(restart);
    encoder.set_progressive(progressive);
    let colours = scene(width, height);
    if is_grey {
        let luma: Vec<u8> = colours.as_chunks::<3>().0.iter().map(|[_, green, _]| *green).collect();
        encoder.encode(&luma, width, height, ColorType::Luma).unwrap();
    } else {
        encoder.encode(&colours, width, height, ColorType::Rgb).unwrap();
    }
    bytes
}

/// An image that ffmpeg has encoded, with sharp edges and saturated colours.
fn encode_with_ffmpeg((width, height): (u16, u16), coding: Coding) -> Vec<u8> {
    let source = format!("testsrc2=size={width}x{height}:rate=1");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-f", "lavfi", "-i", &source, "-frames:v", "1", "-pix_fmt", coding.name]);
    run_successfully(command.args(["-q:v", "3", "-f", "mjpeg", "-"])).stdout
}

/// Decodes images of the same size and coding with ffmpeg. Returns the planes of each.
fn decode_with_ffmpeg(images: &[Vec<u8>], (width, height): (u16, u16), coding: Coding) -> Vec<Vec<Plane>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("images.mjpeg");
    std::fs::write(&file, images.concat()).unwrap();
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-f", "mjpeg", "-i"]).arg(&file);
    let output = ["-fps_mode", "passthrough", "-pix_fmt", coding.name, "-f", "rawvideo", "-"];
    let mut rest = run_successfully(command.args(output)).stdout;
    let plane = |across: usize, down: usize| {
        let width = usize::from(width).div_ceil(across);
        (Plane { samples: Vec::new(), width, across, down }, width * usize::from(height).div_ceil(down))
    };
    let decoded = images.iter().map(|_| {
        let chroma = if coding.across > 0 { 2 } else { 0 };
        let mut planes = vec![plane(1, 1)];
        planes.extend((0..chroma).map(|_| plane(coding.across, coding.down)));
        let taken =
            planes.into_iter().map(|(plane, length)| Plane { samples: rest.drain(..length).collect(), ..plane });
        taken.collect()
    });
    let decoded = decoded.collect();
    assert!(rest.is_empty(), "ffmpeg decodes another number of images");
    decoded
}

/// Compares a value with the range in which it must be.
#[track_caller]
fn assert_within(value: u8, least: f64, most: f64, what: &dyn Fn() -> String) {
    let value = f64::from(value);
    assert!((least..=most).contains(&value), "{}: {value} is not in {least:.1}..={most:.1}", what());
}

/// Compares the pixels of an image at every scale and in every format.
fn compare(bytes: &[u8], planes: &[Plane], what: &str) {
    let image = JpegImage::new(bytes.to_vec().into()).unwrap();
    let Dimensions { width, height } = image.dimensions;
    for scale in Scale::ALL {
        let [luma, rgb, yuv] = Format::ALL.map(|format| {
            Decoder::default().decode(&image, scale, format).unwrap_or_else(|error| panic!("{what}: {error}"))
        });
        let (side, across) = (scale.divisor() as usize, luma.dimensions().width as usize);
        assert_eq!(luma.dimensions(), scale.apply(image.dimensions));
        let colours = rgb.pixels().as_chunks::<3>().0.iter().zip(yuv.pixels().as_chunks::<3>().0);
        for (index, (found, (rgb, yuv))) in luma.pixels().iter().zip(colours).enumerate() {
            let (x, y) = (index % across * side, index / across * side);
            let is_whole = x + side <= width as usize && y + side <= height as usize;
            // Blocks at the edge have pixels that the encoder has added.
            if scale == Scale::Eighth && !is_whole {
                continue;
            }
            let (columns, rows) = (x..(x + side).min(width as usize), y..(y + side).min(height as usize));
            let place = || format!("{what}, {scale:?}, at {x},{y}");
            let tolerance = if scale == Scale::Eighth { TOLERANCE_OF_MEANS } else { TOLERANCE };
            let brightness = planes[0].find(&columns, &rows, 0);
            for value in [*found, yuv[0]] {
                assert_within(value, brightness.mean - tolerance, brightness.mean + tolerance, &place);
            }
            // At 1/8, a pixel has the chroma of a whole block.
            let chroma: Vec<_> = planes[1..]
                .iter()
                .map(|plane| {
                    let block = |range: &Range<usize>, by: usize| {
                        let start = range.start / (8 * by) * (8 * by);
                        if scale == Scale::Eighth { start..start + 8 * by } else { range.clone() }
                    };
                    let is_exact = plane.across * plane.down == 1;
                    plane.find(&block(&columns, plane.across), &block(&rows, plane.down), usize::from(!is_exact))
                })
                .collect();
            for (found, chroma) in yuv[1..].iter().zip(&chroma) {
                assert_within(*found, chroma.least - tolerance, chroma.most + tolerance, &place);
            }
            let [blue, red] = match &chroma[..] {
                [blue, red] => [blue, red],
                _ => {
                    assert_eq!(yuv[1..], [128; 2], "{}", place());
                    assert!(rgb.iter().all(|value| value == found), "{}", place());
                    continue;
                }
            };
            // JFIF 1.02: the conversion from Y, Cb and Cr, with rounding.
            let (dark, bright) = (brightness.least - tolerance - 1.0, brightness.most + tolerance + 1.0);
            let convert = |luma: f64, blue: f64, red: f64| {
                [luma + 1.402 * red, luma - 0.344_14 * blue - 0.714_14 * red, luma + 1.772 * blue]
            };
            let low = |found: &Found| found.least - tolerance - 128.0;
            let high = |found: &Found| found.most + tolerance - 128.0;
            let [least_red, _, least_blue] = convert(dark, low(blue), low(red));
            let [most_red, _, most_blue] = convert(bright, high(blue), high(red));
            let least_green = convert(dark, high(blue), high(red))[1];
            let most_green = convert(bright, low(blue), low(red))[1];
            let limits = [(least_red, most_red), (least_green, most_green), (least_blue, most_blue)];
            for (value, (least, most)) in rgb.iter().zip(limits) {
                assert_within(*value, least.clamp(0.0, 255.0), most.clamp(0.0, 255.0), &place);
            }
        }
    }
}

/// Also with restart intervals, several scans and odd sizes, from two encoders.
pub fn pixels_are_those_of_ffmpeg() {
    for (coding, sampling) in CODINGS {
        for size in SIZES {
            // Of 4:1:1, the encoder writes several scans, which are decoded only if the image is progressive.
            let modes: Vec<_> =
                MODES.into_iter().filter(|(_, progressive)| coding.across < 4 || *progressive).collect();
            let images: Vec<_> = modes.iter().map(|mode| encode(size, sampling, coding.across == 0, *mode)).collect();
            for ((bytes, planes), mode) in images.iter().zip(decode_with_ffmpeg(&images, size, coding)).zip(modes) {
                compare(bytes, &planes, &format!("{} {size:?}, (restart, progressive) {mode:?}", coding.name));
            }
        }
    }
    for coding in [YUV_420, YUV_422, YUV_444] {
        let size = (162, 90);
        let images = [encode_with_ffmpeg(size, coding)];
        compare(&images[0], &decode_with_ffmpeg(&images, size, coding)[0], &format!("ffmpeg's {}", coding.name));
    }
}
