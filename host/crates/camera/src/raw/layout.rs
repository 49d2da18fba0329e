//! The layout of a raw frame in memory.

use super::format::{ChromaSubsampling, PixelFormat, PlaneLayout};
use crate::dimensions::Dimensions;

/// The range of sample values in a YUV or grey frame (V4L2 `quantization`).
///
/// RGB frames are always taken as full range, the V4L2 default for them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub enum Range {
    /// Luma from 16 to 235, chroma from 16 to 240 (`V4L2_QUANTIZATION_LIM_RANGE`). The V4L2 default for YUV.
    #[default]
    Limited,
    /// From 0 to 255 (`V4L2_QUANTIZATION_FULL_RANGE`).
    Full,
}

/// The layout of a raw frame in memory.
///
/// The planes follow each other without gaps. The stride of the first plane determines the others (the kernel's "Video
/// for Linux API", "Planar YUV formats"): a plane of chroma pairs has the same stride, a plane of single chroma samples
/// half of it. If the width or height is odd, the size of the chroma planes is rounded up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct Layout {
    /// The pixel format.
    pub format: PixelFormat,
    /// The size of the picture.
    pub dimensions: Dimensions,
    /// The bytes from one row to the next in the first plane (V4L2 `bytesperline`). A value too small for a row, such
    /// as 0, means rows without padding.
    pub stride: usize,
    /// The range of sample values. Ignored for RGB.
    pub range: Range,
}

impl Layout {
    /// The number of bytes in a frame, including padding. Saturates at `usize::MAX`.
    pub fn frame_length(&self) -> usize {
        self.planes().iter().map(Plane::end).max().unwrap_or(0)
    }

    /// The layout of a frame of another size in the same format, without padding.
    pub(super) fn packed(self, dimensions: Dimensions) -> Self {
        Self { dimensions, stride: 0, ..self }
    }

    /// The planes in memory order. Missing planes are empty.
    pub(super) fn planes(&self) -> [Plane; 3] {
        let width = to_usize(self.dimensions.width);
        let height = to_usize(self.dimensions.height);
        let pairs = width.div_ceil(2);
        let chroma_rows = |rows| match rows {
            ChromaSubsampling::Yuv422 => height,
            ChromaSubsampling::Yuv420 => height.div_ceil(2),
        };
        let first = |row| Plane { offset: 0, stride: self.stride.max(row), row, rows: height };
        match self.format.plane_layout() {
            PlaneLayout::Grey => [first(width), Plane::NONE, Plane::NONE],
            PlaneLayout::Packed => [first(pairs.saturating_mul(4)), Plane::NONE, Plane::NONE],
            PlaneLayout::Pixels { bytes } => [first(width.saturating_mul(bytes)), Plane::NONE, Plane::NONE],
            PlaneLayout::SemiPlanar(rows) => {
                let luma = first(width);
                let chroma = luma.followed_by(luma.stride, pairs.saturating_mul(2), chroma_rows(rows));
                [luma, chroma, Plane::NONE]
            }
            PlaneLayout::Planar(rows) => {
                let luma = first(width);
                let second = luma.followed_by(luma.stride / 2, pairs, chroma_rows(rows));
                [luma, second, second.followed_by(second.stride, pairs, second.rows)]
            }
        }
    }
}

/// The location of a plane in a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Plane {
    /// The offset of its first byte.
    offset: usize,
    /// The bytes from one row to the next.
    stride: usize,
    /// The bytes of a row without padding.
    pub(super) row: usize,
    /// The number of rows.
    pub(super) rows: usize,
}

impl Plane {
    const NONE: Self = Self { offset: 0, stride: 0, row: 0, rows: 0 };

    /// Returns the plane after this one. Raises its stride to a whole row.
    fn followed_by(&self, stride: usize, row: usize, rows: usize) -> Self {
        Self { offset: self.end(), stride: stride.max(row), row, rows }
    }

    /// Returns the plane at the start of a buffer of its own. Raises its stride to a whole row.
    pub(super) fn alone(&self, stride: usize) -> Self {
        Self { offset: 0, stride: stride.max(self.row), ..*self }
    }

    /// The offset of the first byte after the plane.
    pub(super) fn end(&self) -> usize {
        self.offset.saturating_add(self.stride.saturating_mul(self.rows))
    }

    /// Returns a row without padding. Returns the last row for larger indices, and an empty row if the frame is too
    /// short.
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
    fn the_length_without_padding_follows_from_the_bits_per_pixel() {
        for &format in PixelFormat::ALL {
            let code = format.code();
            assert_eq!(length(&code, 16, 8, 0), 16 * 8 * usize::try_from(format.bits_per_pixel()).unwrap() / 8);
        }
    }

    #[test]
    fn a_stride_too_small_for_a_row_means_no_padding() {
        assert_eq!(length(b"YUYV", 16, 8, 31), 32 * 8);
        assert_eq!(length(b"RGB3", 16, 8, 1), 48 * 8);
    }

    #[test]
    fn every_plane_has_padding() {
        assert_eq!(length(b"GREY", 16, 8, 20), 20 * 8);
        assert_eq!(length(b"NV12", 16, 8, 20), 20 * 8 + 20 * 4);
        assert_eq!(length(b"YU12", 16, 8, 20), 20 * 8 + 2 * 10 * 4);
        assert_eq!(length(b"422P", 16, 8, 20), 20 * 8 + 2 * 10 * 8);
    }

    #[test]
    fn chroma_planes_of_odd_sizes_are_rounded_up() {
        assert_eq!(length(b"YUYV", 3, 3, 0), 8 * 3);
        assert_eq!(length(b"NV12", 3, 3, 0), 3 * 3 + 4 * 2);
        assert_eq!(length(b"YU12", 3, 3, 0), 3 * 3 + 2 * 2 * 2);
    }

    #[test]
    fn the_frame_length_saturates() {
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
