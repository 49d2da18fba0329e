//! Turns pixels as EXIF data ask for.

use super::picture::Picture;
use crate::dimensions::Dimensions;
use crate::orientation::{Orientation, Rotation};

/// Returns the picture as viewers see an image with this orientation.
pub(super) fn turn(picture: Picture, orientation: Orientation) -> Picture {
    if orientation.is_upright() {
        return picture;
    }
    let size = turned_size(picture.dimensions(), orientation);
    let format = picture.format();
    let pixels = match format.bytes() {
        1 => turned::<1>(&picture, size, orientation),
        _ => turned::<3>(&picture, size, orientation),
    };
    Picture::from_pixels(size, format, pixels)
}

/// Returns the size of a turned picture.
pub(super) fn turned_size(size: Dimensions, orientation: Orientation) -> Dimensions {
    match orientation.rotation {
        Rotation::None | Rotation::Half => size,
        Rotation::Quarter | Rotation::ThreeQuarters => Dimensions { width: size.height, height: size.width },
    }
}

/// Returns the pixels, which have `BYTES` bytes each, of a picture that has `size` when it is turned.
fn turned<const BYTES: usize>(picture: &Picture, size: Dimensions, orientation: Orientation) -> Vec<u8> {
    let source = picture.pixels().as_chunks::<BYTES>().0;
    let (across, down) = (picture.dimensions().width as isize, picture.dimensions().height as isize);
    let (width, height) = (size.width as isize, size.height as isize);
    let mut pixels = Vec::with_capacity(size.pixels() * BYTES);
    for y in 0..height {
        let y = if orientation.flip_vertically { height - 1 - y } else { y };
        // Where the row begins in the source, and how far its pixels are apart there.
        let (start, step) = match orientation.rotation {
            Rotation::None => (y * across, 1),
            Rotation::Quarter => ((down - 1) * across + y, -across),
            Rotation::Half => ((down - y) * across - 1, -1),
            Rotation::ThreeQuarters => (across - 1 - y, across),
        };
        let (start, step) =
            if orientation.flip_horizontally { (start + (width - 1) * step, -step) } else { (start, step) };
        for x in 0..width {
            // Always within the picture.
            let pixel = usize::try_from(start + x * step).ok().and_then(|at| source.get(at));
            pixels.extend(pixel.copied().unwrap_or([0; BYTES]));
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::{Area, Format};

    #[test]
    fn pixels_are_turned_as_every_exif_value_asks_for() {
        // abc
        // def
        for (value, expected, width) in [
            (1, "abcdef", 3),
            (2, "cbafed", 3),
            (3, "fedcba", 3),
            (4, "defabc", 3),
            (5, "adbecf", 2),
            (6, "daebfc", 2),
            (7, "fcebda", 2),
            (8, "cfbead", 2),
        ] {
            let size = Dimensions { width: 3, height: 2 };
            for format in [Format::Luma, Format::Rgb] {
                let mut picture = Picture::black(size, format).unwrap();
                let spread = |text: &str| text.bytes().flat_map(|byte| vec![byte; format.bytes()]).collect::<Vec<_>>();
                picture.write(Area { left: 0, top: 0, size }, &spread("abcdef")).unwrap();
                let turned = turn(picture, Orientation::from_exif_value(value).unwrap());
                assert_eq!(turned.pixels(), spread(expected), "value {value}");
                assert_eq!(turned.dimensions().width, width);
            }
        }
        // Flips both ways are half a turn.
        let both = Orientation { flip_horizontally: true, flip_vertically: true, ..Orientation::default() };
        let size = Dimensions { width: 2, height: 1 };
        let mut picture = Picture::black(size, Format::Luma).unwrap();
        picture.write(Area { left: 0, top: 0, size }, b"ab").unwrap();
        assert_eq!(turn(picture, both).pixels(), b"ba");
    }
}
