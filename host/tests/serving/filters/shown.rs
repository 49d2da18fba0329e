//! The picture of the cameras, and what clients see of it.

use hotshoe::camera::Dimensions;
use hotshoe::camera::pixels::{Area, Format, Picture};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

pub(super) const WIDTH: u32 = 64;
pub(super) const HEIGHT: u32 = 48;

/// An area that clients may never see: left, top, width and height.
pub(super) type Hidden = [u32; 4];

/// Red.
pub(super) const LEFT_HALF: Hidden = [0, 0, 32, 48];

/// Green.
pub(super) const LOWER_RIGHT: Hidden = [32, 24, 32, 24];

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];

/// Decoders blend the chroma of this many columns and rows with those beyond the edge of an area.
const BLENDED: u32 = 2;

/// Hidden pixels are black, but for the noise of the JPEG image. The colours of the picture differ from black by 255.
const NOISE: u8 = 60;

/// What a client sees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    /// A filtered frame.
    Masked,
    /// The placeholder.
    Placeholder,
}

/// An image that is red on the left, blue in the upper right, and green in the lower right.
pub(super) fn picture() -> Vec<u8> {
    masked_picture(&[])
}

/// The picture with black areas.
pub(super) fn masked_picture(hidden: &[Hidden]) -> Vec<u8> {
    let size = Dimensions { width: WIDTH, height: HEIGHT };
    let mut picture = Picture::black(size, Format::Rgb).unwrap();
    let mut fill = |[left, top, width, height]: Hidden, colour: [u8; 3]| {
        let area = Area { left, top, size: Dimensions { width, height } };
        picture.write(area, &colour.repeat((width * height) as usize)).unwrap();
    };
    fill([0, 0, WIDTH, HEIGHT], BLUE);
    fill(LEFT_HALF, RED);
    fill(LOWER_RIGHT, GREEN);
    hidden.iter().for_each(|area| fill(*area, [0; 3]));
    picture.encode(90).unwrap().bytes.to_vec()
}

/// Decodes a picture that a client has got, which may be reduced. Returns what it shows, or what it should not show.
pub(super) fn look(jpeg: &[u8], hidden: &[Hidden]) -> Result<Seen, String> {
    // The placeholder has no colour (ITU-T T.81, B.2.2).
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).ok_or("no baseline image")?;
    if jpeg[frame + 9] == 1 {
        return Ok(Seen::Placeholder);
    }
    let options = DecoderOptions::new_fast().jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    let pixels = decoder.decode().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions().unwrap();
    let reduced = WIDTH / width as u32;
    assert_eq!((width as u32 * reduced, height as u32 * reduced), (WIDTH, HEIGHT), "{width}x{height}");
    let pixel = |x: u32, y: u32| {
        let at = 3 * (y as usize * width + x as usize);
        [pixels[at], pixels[at + 1], pixels[at + 2]]
    };
    for [left, top, across, down] in hidden {
        let inner = |start: u32, length: u32, limit: u32| {
            let end = (start + length) / reduced;
            let start = start / reduced;
            start + if start > 0 { BLENDED } else { 0 }..end - if end < limit / reduced { BLENDED } else { 0 }
        };
        for y in inner(*top, *down, HEIGHT) {
            for x in inner(*left, *across, WIDTH) {
                if pixel(x, y).iter().any(|value| *value > NOISE) {
                    return Err(format!("a client sees {:?} at {x},{y} of {width}x{height}", pixel(x, y)));
                }
            }
        }
    }
    match pixel(width as u32 - 1, 0) {
        [_, _, blue] if blue > 200 => Ok(Seen::Masked),
        other => Err(format!("the rest of the picture is {other:?}")),
    }
}

/// Checks a picture of which the left half must be hidden.
#[track_caller]
pub(super) fn check(jpeg: &[u8]) -> Seen {
    look(jpeg, &[LEFT_HALF]).unwrap()
}
