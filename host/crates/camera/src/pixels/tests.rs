//! Decodes known pictures at every scale and in every format.

use bytes::Bytes;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::{Area, DecodeError, Decoder, Format, MAX_MULTI_SCAN_PIXELS, MAX_PIXELS, Picture, PictureError, Scale};
use crate::dimensions::Dimensions;
use crate::frame::JpegImage;

const FIXTURES: [&[u8]; 10] = [
    include_bytes!("../../../../../frames/1.jpg"),
    include_bytes!("../../tests/fixtures/420-optimal-33x17.jpg"),
    include_bytes!("../../tests/fixtures/422-standard-15x100.jpg"),
    include_bytes!("../../tests/fixtures/444-standard-33x17.jpg"),
    include_bytes!("../../tests/fixtures/restart-611x333.jpg"),
    include_bytes!("../../tests/fixtures/grey-33x17.jpg"),
    include_bytes!("../../tests/fixtures/grey-2x2-17x9.jpg"),
    include_bytes!("../../tests/fixtures/one-pixel.jpg"),
    include_bytes!("../../tests/fixtures/progressive-17x9.jpg"),
    include_bytes!("../../../../../frames/3.jpg"),
];

const SAMPLINGS: [SamplingFactor; 4] =
    [SamplingFactor::R_4_2_0, SamplingFactor::R_4_2_2, SamplingFactor::R_4_4_0, SamplingFactor::R_4_4_4];

fn image(bytes: impl Into<Vec<u8>>) -> JpegImage {
    JpegImage::new(Bytes::from(bytes.into())).unwrap()
}

fn decode(image: &JpegImage, scale: Scale, format: Format) -> Picture {
    Decoder::default().decode(image, scale, format).unwrap()
}

/// A colour for each tile of 32 pixels. Tiles begin where MCUs do, so no colour bleeds into another.
fn colour(x: usize, y: usize) -> [u8; 3] {
    let tile = (x / 32 * 5 + y / 32 * 3) % 8;
    [[250, 20, 20], [20, 250, 20], [20, 20, 250], [230, 230, 10], [128; 3], [0; 3], [255; 3], [10, 200, 220]][tile]
}

/// Encodes the tiles with these settings.
fn tiles(width: u16, height: u16, set: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> JpegImage {
    let (across, down) = (usize::from(width), usize::from(height));
    let pixels: Vec<u8> = (0..down).flat_map(|y| (0..across).flat_map(move |x| colour(x, y))).collect();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    set(&mut encoder);
    encoder.encode(&pixels, width, height, ColorType::Rgb).unwrap();
    image(bytes)
}

/// Checks that each pixel has the colour of its tile. Between tiles, the library blends chroma.
fn assert_tiles(picture: &Picture, divisor: usize, blends: bool, what: &str) {
    let width = picture.dimensions().width as usize;
    for (index, found) in picture.pixels().as_chunks::<3>().0.iter().enumerate() {
        let (x, y) = (index % width * divisor, index / width * divisor);
        if (divisor < 8 || blends) && [x, y].iter().any(|at| !(4..20).contains(&(at % 32))) {
            continue;
        }
        let worst = found.iter().zip(colour(x, y)).map(|(a, b)| a.abs_diff(b)).max().unwrap();
        let tolerance = if divisor < 8 { 8 } else { 20 };
        assert!(worst <= tolerance, "{what} at {x},{y}: {found:?} instead of {:?}", colour(x, y));
    }
}

#[test]
fn every_sampling_decodes_to_its_colours_at_every_scale() {
    for sampling in SAMPLINGS {
        for (restart, progressive) in [(0, false), (1, false), (7, false), (0, true)] {
            for (width, height) in [(256, 128), (250, 121), (33, 1), (1, 70)] {
                let encoded = tiles(width, height, |encoder| {
                    encoder.set_sampling_factor(sampling);
                    encoder.set_restart_interval(restart);
                    encoder.set_progressive(progressive);
                });
                for scale in Scale::ALL {
                    let picture = decode(&encoded, scale, Format::Rgb);
                    assert_eq!(picture.dimensions(), scale.apply(encoded.dimensions));
                    let what = format!("{sampling:?}, restart {restart}, progressive {progressive}, {scale:?}");
                    assert_tiles(&picture, scale.divisor() as usize, progressive, &what);
                    let [luma, yuv] = [Format::Luma, Format::Yuv].map(|format| decode(&encoded, scale, format));
                    let first_parts = yuv.pixels().iter().step_by(3);
                    assert!(luma.pixels().iter().eq(first_parts), "{what}: the luma differs");
                }
            }
        }
    }
}

#[test]
fn a_reduced_pixel_is_the_mean_of_its_square() {
    for bytes in FIXTURES {
        let encoded = image(bytes);
        for format in Format::ALL {
            let full = decode(&encoded, Scale::Full, format);
            let (width, height) = (encoded.dimensions.width as usize, encoded.dimensions.height as usize);
            for scale in [Scale::Half, Scale::Quarter, Scale::Eighth] {
                let side = scale.divisor() as usize;
                let reduced = decode(&encoded, scale, format);
                let across = reduced.dimensions().width as usize;
                let (mut differences, mut values) = (0.0, 0.0_f64);
                for (index, found) in reduced.pixels().chunks(format.bytes()).enumerate() {
                    let (left, top) = (index % across * side, index / across * side);
                    // A block at the edge has pixels that the encoder added.
                    if left + side > width || top + side > height {
                        continue;
                    }
                    for (part, found) in found.iter().enumerate() {
                        let square = (0..side * side).map(|i| (left + i % side, top + i / side));
                        let sum: usize = square
                            .map(|(x, y)| usize::from(full.pixels()[(y * width + x) * format.bytes() + part]))
                            .sum();
                        let difference = (f64::from(*found) - sum as f64 / (side * side) as f64).abs();
                        let what = format!("{:?} {scale:?} {format:?} at {left},{top}", encoded.dimensions);
                        // At 1/8, chroma is not interpolated, so it differs where colours change.
                        let is_chroma = format == Format::Rgb || part > 0;
                        assert!(difference <= 4.0 || (scale == Scale::Eighth && is_chroma), "{what}: {difference}");
                        (differences, values) = (differences + difference, values + 1.0);
                    }
                }
                // Values of RGB are cut off at 0 and 255, before the mean is taken or after it.
                let is_close = format == Format::Rgb || values < 1000.0 || differences <= 6.0 * values;
                assert!(is_close, "{scale:?} {format:?}: {differences} in {values}");
            }
        }
    }
}

#[test]
fn formats_agree() {
    for bytes in FIXTURES {
        let encoded = image(bytes);
        for scale in Scale::ALL {
            let [luma, rgb, yuv] = Format::ALL.map(|format| decode(&encoded, scale, format));
            let from_yuv: Vec<u8> = yuv.pixels().chunks(3).map(|pixel| pixel[0]).collect();
            assert_eq!(luma.pixels(), from_yuv);
            let converted = yuv.pixels().as_chunks::<3>().0.iter().flat_map(|pixel| super::format::rgb(*pixel));
            // Means of converted values differ from converted means where values are cut off.
            let limit = if scale == Scale::Full { 3 } else { 40 };
            assert!(converted.zip(rgb.pixels()).all(|(a, b)| a.abs_diff(*b) <= limit), "{:?}", encoded.dimensions);
        }
    }
}

/// Changes the size in the frame header.
fn with_size(bytes: &[u8], width: u16, height: u16) -> JpegImage {
    let mut bytes = bytes.to_vec();
    let frame = bytes.windows(2).position(|pair| matches!(pair, [0xFF, 0xC0..=0xC2])).unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    image(bytes)
}

#[test]
fn an_image_that_lies_about_its_size_is_refused() {
    for bytes in FIXTURES {
        for scale in Scale::ALL {
            let decode = |width, height| {
                let lying = with_size(bytes, width, height);
                Decoder::default().decode(&lying, scale, Format::Rgb).map(|picture| picture.dimensions())
            };
            let (huge, wide) =
                (Dimensions { width: 65_535, height: 65_535 }, Dimensions { width: 65_535, height: 250 });
            assert_eq!(decode(65_535, 65_535), Err(DecodeError::TooLarge { size: huge, limit: MAX_PIXELS }));
            if (bytes.len() as u64) < 65_535 * 250 / 512 {
                assert_eq!(decode(65_535, 250), Err(DecodeError::TooShort(wide)));
            }
        }
    }
    // The walk notices that the data end early.
    let lying = with_size(FIXTURES[0], 1280, 960);
    assert!(matches!(
        Decoder::default().decode(&lying, Scale::Eighth, Format::Luma),
        Err(DecodeError::Damaged(crate::jpeg::JpegError::MissingData))
    ));
}

/// Adds a comment of this length, so that the image has enough bytes for a larger size.
fn with_comment(image: &JpegImage, length: u16) -> Vec<u8> {
    let comment = [&[0xFF, 0xFE][..], &(length + 2).to_be_bytes(), &vec![0; length.into()]].concat();
    [&image.bytes[..2], &comment, &image.bytes[2..]].concat()
}

#[test]
fn images_of_several_scans_have_a_lower_limit_and_need_memory_for_all_coefficients() {
    let encode = |is_progressive| tiles(256, 128, |encoder| encoder.set_progressive(is_progressive));
    let long = [false, true].map(|is_progressive| with_comment(&encode(is_progressive), 40_000));
    let check = |bytes: &[u8], height| Decoder::check_size(&with_size(bytes, 4096, height));
    assert_eq!(check(&long[0], 4096), Ok(()));
    let size = Dimensions { width: 4096, height: 2049 };
    assert_eq!(check(&long[1], 2049), Err(DecodeError::TooLarge { size, limit: MAX_MULTI_SCAN_PIXELS }));
    assert_eq!(check(&long[1], 2048), Ok(()));

    let needed = |is_progressive, scale| Decoder::memory_needed(&encode(is_progressive), scale, Format::Luma).unwrap();
    let pixels = 256 * 128;
    // Three components of two bytes, and the picture at full size.
    for scale in Scale::ALL {
        assert!(needed(true, scale) >= 7 * pixels, "{scale:?}");
    }
    assert!(needed(false, Scale::Half) >= pixels + pixels / 4);
    assert!(needed(false, Scale::Eighth) < pixels / 4);
}

#[test]
fn an_unsupported_coding_is_an_error() {
    let arithmetic = image(&include_bytes!("../../tests/fixtures/arithmetic-17x9.jpg")[..]);
    for scale in Scale::ALL {
        let result = Decoder::default().decode(&arithmetic, scale, Format::Luma);
        assert!(matches!(result, Err(DecodeError::Undecodable(_))), "{result:?}");
    }
}

#[test]
fn several_scans_are_an_error_unless_the_image_is_progressive() {
    // The encoder writes a scan for each component of 4:1:1.
    let encode = |progressive| {
        tiles(256, 128, |encoder| {
            encoder.set_sampling_factor(SamplingFactor::R_4_1_1);
            encoder.set_progressive(progressive);
        })
    };
    for scale in Scale::ALL {
        let decode = |image| Decoder::default().decode(&image, scale, Format::Luma).map(drop);
        let refused = Err(DecodeError::Undecodable("it is not progressive but has several scans".to_owned()));
        assert_eq!([decode(encode(false)), decode(encode(true))], [refused, Ok(())]);
    }
}

#[test]
fn areas_are_read_written_and_encoded() {
    let size = Dimensions { width: 64, height: 48 };
    for format in Format::ALL {
        let mut picture = Picture::black(size, format).unwrap();
        let area = Area { left: 32, top: 16, size: Dimensions { width: 32, height: 16 } };
        let white = match format {
            Format::Yuv => [255, 128, 128],
            Format::Luma | Format::Rgb => [255; 3],
        };
        let pixels = white[..format.bytes()].repeat(32 * 16);
        picture.write(area, &pixels).unwrap();
        assert_eq!(picture.read(area).unwrap(), pixels);
        let encoded = picture.encode(90).unwrap();
        assert_eq!(encoded.dimensions, size);
        let again = decode(&encoded, Scale::Full, Format::Luma);
        for (index, luma) in again.pixels().iter().enumerate() {
            let (x, y) = (index % 64, index / 64);
            let is_white = x >= 32 && (16..32).contains(&y);
            assert!(luma.abs_diff(if is_white { 255 } else { 0 }) <= 3, "{format:?} at {x},{y}: {luma}");
        }
    }
}

#[test]
fn areas_and_sizes_outside_the_limits_are_errors() {
    let size = Dimensions { width: 8, height: 8 };
    let mut picture = Picture::black(size, Format::Rgb).unwrap();
    let area = |left, top, width, height| Area { left, top, size: Dimensions { width, height } };
    for outside in [area(0, 0, 9, 8), area(1, 0, 8, 8), area(0, 8, 1, 1), area(0, 0, 0, 1), area(u32::MAX, 0, 2, 1)] {
        assert!(matches!(picture.read(outside), Err(PictureError::Area(_))), "{outside:?}");
        assert!(matches!(picture.write(outside, &[0; 3]), Err(PictureError::Area(_))), "{outside:?}");
    }
    let short = picture.write(area(0, 0, 2, 2), &[0; 11]);
    assert!(matches!(short, Err(PictureError::Length { needed: 12, actual: 11 })), "{short:?}");
    for quality in [0, 101] {
        assert!(matches!(picture.encode(quality), Err(PictureError::Encode(_))));
    }
    for (width, height) in [(0, 1), (1, 0), (u32::MAX, u32::MAX), (4097, 4096)] {
        assert!(Picture::black(Dimensions { width, height }, Format::Luma).is_err());
    }
    assert_eq!(u64::from(4096_u32) * 4096, MAX_PIXELS);
}
