//! How a raw frame lies in memory.

use super::format::{PixelFormat, Rows, Shape};
use crate::dimensions::Dimensions;

/// Which values the samples of a YUV or grey frame use (V4L2 `quantization`).
///
/// RGB frames always use the full range here, which is the V4L2 default for them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub enum Range {
    /// Luma 16 to 235, chroma 16 to 240 (`V4L2_QUANTIZATION_LIM_RANGE`): the V4L2 default for YUV.
    #[default]
    Limited,
    /// 0 to 255 (`V4L2_QUANTIZATION_FULL_RANGE`).
    Full,
}

/// How a raw frame lies in memory.
///
/// The planes follow each other without a gap. Their strides follow from the first one's, as the kernel's "Video for
/// Linux API" lays down in "Planar YUV formats": a plane of chroma pairs has the same stride, a plane of single chroma
/// samples half of it. Where a width or height is odd, chroma is rounded up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct Layout {
    /// What the pixels are.
    pub format: PixelFormat,
    /// How many there are.
    pub dimensions: Dimensions,
    /// Bytes from one row to the next of the first plane (V4L2 `bytesperline`). What is too small for a row, 0 for
    /// one, stands for rows without padding.
    pub stride: usize,
    /// Which values the samples use; without a meaning for RGB.
    pub range: Range,
}

impl Layout {
    /// Bytes that a whole frame has, padding included; `usize::MAX` if the number is larger than that.
    pub fn frame_length(&self) -> usize {
        self.planes().iter().map(Plane::end).max().unwrap_or(0)
    }

    /// Where the planes lie, in the order of memory; the ones that a format lacks are empty.
    pub(super) fn planes(&self) -> [Plane; 3] {
        let width = to_usize(self.dimensions.width);
        let height = to_usize(self.dimensions.height);
        let pairs = width.div_ceil(2);
        let chroma_rows = |rows| match rows {
            Rows::Full => height,
            Rows::Half => height.div_ceil(2),
        };
        let first = |row| Plane { offset: 0, stride: self.stride.max(row), row, rows: height };
        match self.format.shape() {
            Shape::Grey => [first(width), Plane::NONE, Plane::NONE],
            Shape::Packed => [first(pairs.saturating_mul(4)), Plane::NONE, Plane::NONE],
            Shape::Rgb { bytes } => [first(width.saturating_mul(bytes)), Plane::NONE, Plane::NONE],
            Shape::SemiPlanar(rows) => {
                let luma = first(width);
                let chroma = luma.followed_by(luma.stride, pairs.saturating_mul(2), chroma_rows(rows));
                [luma, chroma, Plane::NONE]
            }
            Shape::Planar(rows) => {
                let luma = first(width);
                let second = luma.followed_by(luma.stride / 2, pairs, chroma_rows(rows));
                [luma, second, second.followed_by(second.stride, pairs, second.rows)]
            }
        }
    }
}

/// Where a plane lies in a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Plane {
    /// Bytes before it.
    offset: usize,
    /// Bytes from one row to the next.
    stride: usize,
    /// Bytes of a row without padding.
    row: usize,
    /// Rows.
    rows: usize,
}

impl Plane {
    const NONE: Self = Self { offset: 0, stride: 0, row: 0, rows: 0 };

    /// The plane behind this one; its stride is widened to a whole row.
    fn followed_by(&self, stride: usize, row: usize, rows: usize) -> Self {
        Self { offset: self.end(), stride: stride.max(row), row, rows }
    }

    /// The offset of the first byte behind the plane.
    fn end(&self) -> usize {
        self.offset.saturating_add(self.stride.saturating_mul(self.rows))
    }

    /// The bytes of a row without padding, the last row for any beyond; empty if the frame is too short.
    pub(super) fn row<'a>(&self, frame: &'a [u8], index: usize) -> &'a [u8] {
        let index = index.min(self.rows.saturating_sub(1));
        let start = self.offset.saturating_add(self.stride.saturating_mul(index));
        frame.get(start..).and_then(|rest| rest.get(..self.row)).unwrap_or_default()
    }
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(code: &[u8; 4], width: u32, height: u32, stride: usize) -> usize {
        let format = PixelFormat::from_code(*code).unwrap();
        Layout { format, dimensions: Dimensions { width, height }, stride, range: Range::Full }.frame_length()
    }

    #[test]
    fn a_frame_without_padding_has_the_bits_of_its_pixels() {
        for &format in PixelFormat::ALL {
            let code = format.code();
            assert_eq!(length(&code, 16, 8, 0), 16 * 8 * usize::try_from(format.bits_per_pixel()).unwrap() / 8);
        }
    }

    #[test]
    fn too_small_a_stride_is_taken_as_the_least() {
        assert_eq!(length(b"YUYV", 16, 8, 31), 32 * 8);
        assert_eq!(length(b"RGB3", 16, 8, 1), 48 * 8);
    }

    #[test]
    fn padding_counts_in_every_plane() {
        assert_eq!(length(b"GREY", 16, 8, 20), 20 * 8);
        assert_eq!(length(b"NV12", 16, 8, 20), 20 * 8 + 20 * 4);
        assert_eq!(length(b"YU12", 16, 8, 20), 20 * 8 + 2 * 10 * 4);
        assert_eq!(length(b"422P", 16, 8, 20), 20 * 8 + 2 * 10 * 8);
    }

    #[test]
    fn chroma_of_odd_sizes_is_rounded_up() {
        assert_eq!(length(b"YUYV", 3, 3, 0), 8 * 3);
        assert_eq!(length(b"NV12", 3, 3, 0), 3 * 3 + 4 * 2);
        assert_eq!(length(b"YU12", 3, 3, 0), 3 * 3 + 2 * 2 * 2);
    }

    #[test]
    fn a_length_beyond_counting_is_the_largest_number() {
        assert_eq!(length(b"NV12", u32::MAX, u32::MAX, usize::MAX), usize::MAX);
    }

    #[test]
    fn a_row_outside_the_frame_is_empty() {
        let layout = Layout {
            format: PixelFormat::Nv12,
            dimensions: Dimensions { width: 4, height: 4 },
            stride: 0,
            range: Range::Full,
        };
        let [luma, chroma, none] = layout.planes();
        assert_eq!(luma.row(&[7; 20], 3), [7; 4]);
        assert_eq!(chroma.row(&[7; 20], 0), [7; 4]);
        assert!(chroma.row(&[7; 20], 1).is_empty());
        assert!(none.row(&[7; 20], 0).is_empty());
    }
}
