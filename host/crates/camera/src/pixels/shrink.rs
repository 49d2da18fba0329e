//! Reduces pixels: each result is the mean of a square.

use super::picture::Picture;
use super::scale::Scale;

/// Returns the picture at this scale. Squares at the right and lower edges are as large as the picture permits.
pub(super) fn shrink(picture: Picture, scale: Scale) -> Picture {
    let (size, format) = (picture.dimensions(), picture.format());
    let reduced = scale.apply(size);
    let pixels = match (scale, format.bytes()) {
        (Scale::Full, _) => return picture,
        (Scale::Half, 1) => means::<2, 1>(&picture),
        (Scale::Half, _) => means::<2, 3>(&picture),
        (Scale::Quarter, 1) => means::<4, 1>(&picture),
        (Scale::Quarter, _) => means::<4, 3>(&picture),
        (Scale::Eighth, 1) => means::<8, 1>(&picture),
        (Scale::Eighth, _) => means::<8, 3>(&picture),
    };
    Picture::from_pixels(reduced, format, pixels)
}

/// Returns the means of squares of `SIDE` pixels, which have `BYTES` bytes each.
fn means<const SIDE: usize, const BYTES: usize>(picture: &Picture) -> Vec<u8> {
    let width = picture.dimensions().width as usize;
    let rows: Vec<&[[u8; BYTES]]> =
        picture.pixels().chunks_exact(width * BYTES).map(|row| row.as_chunks::<BYTES>().0).collect();
    let mut sums = vec![[0_u16; BYTES]; width.div_ceil(SIDE)];
    let mut means = Vec::with_capacity(sums.len() * rows.len().div_ceil(SIDE) * BYTES);
    for band in rows.chunks(SIDE) {
        sums.fill([0; BYTES]);
        for row in band {
            let (whole, rest) = row.as_chunks::<SIDE>();
            for (sum, square) in sums.iter_mut().zip(whole.iter().map(<[_; SIDE]>::as_slice).chain([rest])) {
                for pixel in square {
                    // At most 64 * 255.
                    sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u16::from(*value));
                }
            }
        }
        let last_width = width - (sums.len() - 1) * SIDE;
        let last = sums.len() - 1;
        for (index, sum) in sums.iter().enumerate() {
            let across = if index == last { last_width } else { SIDE };
            let count = (across * band.len()) as u16;
            means.extend(sum.map(|sum| ((sum + count / 2) / count) as u8));
        }
    }
    means
}
