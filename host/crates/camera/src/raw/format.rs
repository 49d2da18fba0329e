//! The pixel formats that can be encoded, and their V4L2 codes.

use std::fmt;

/// A raw pixel format that can be encoded.
///
/// All have 8 bits a sample and lie in one buffer; the formats of the multi-planar interface (such as `NM12`) do not
/// belong here. Codes and byte orders are those of the kernel's "Video for Linux API", chapters "RGB Formats",
/// "Packed YUV formats", "Planar YUV formats" and "Luma-Only Formats". Alpha is ignored.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// `YUYV`: 4:2:2, two pixels in the bytes Y Cb Y Cr.
    Yuyv,
    /// `UYVY`: 4:2:2, two pixels in the bytes Cb Y Cr Y.
    Uyvy,
    /// `YVYU`: 4:2:2, two pixels in the bytes Y Cr Y Cb.
    Yvyu,
    /// `VYUY`: 4:2:2, two pixels in the bytes Cr Y Cb Y.
    Vyuy,
    /// `NV12`: 4:2:0, a plane of Y, then one of Cb Cr pairs.
    Nv12,
    /// `NV21`: 4:2:0, a plane of Y, then one of Cr Cb pairs.
    Nv21,
    /// `NV16`: 4:2:2, a plane of Y, then one of Cb Cr pairs.
    Nv16,
    /// `NV61`: 4:2:2, a plane of Y, then one of Cr Cb pairs.
    Nv61,
    /// `YU12` (also known as I420): 4:2:0, planes of Y, Cb and Cr.
    Yu12,
    /// `YV12`: 4:2:0, planes of Y, Cr and Cb.
    Yv12,
    /// `422P`: 4:2:2, planes of Y, Cb and Cr.
    Yuv422p,
    /// `GREY`: Y alone.
    Grey,
    /// `RGB3`: the bytes R G B.
    Rgb24,
    /// `BGR3`: the bytes B G R.
    Bgr24,
    /// `RGB4`: the bytes alpha R G B; deprecated in the kernel, but drivers still offer it.
    Rgb32,
    /// `BGR4`: the bytes B G R alpha; deprecated in the kernel, but drivers still offer it.
    Bgr32,
    /// `BX24`: the bytes unused R G B.
    Xrgb32,
    /// `XR24`: the bytes B G R unused.
    Xbgr32,
    /// `XB24`: the bytes R G B unused.
    Rgbx32,
    /// `RX24`: the bytes unused B G R.
    Bgrx32,
    /// `BA24`: the bytes alpha R G B.
    Argb32,
    /// `AR24`: the bytes B G R alpha.
    Abgr32,
    /// `AB24`: the bytes R G B alpha.
    Rgba32,
    /// `RA24`: the bytes alpha B G R.
    Bgra32,
}

impl PixelFormat {
    /// Every format.
    pub const ALL: &'static [Self] = &[
        Self::Yuyv,
        Self::Uyvy,
        Self::Yvyu,
        Self::Vyuy,
        Self::Nv12,
        Self::Nv21,
        Self::Nv16,
        Self::Nv61,
        Self::Yu12,
        Self::Yv12,
        Self::Yuv422p,
        Self::Grey,
        Self::Rgb24,
        Self::Bgr24,
        Self::Rgb32,
        Self::Bgr32,
        Self::Xrgb32,
        Self::Xbgr32,
        Self::Rgbx32,
        Self::Bgrx32,
        Self::Argb32,
        Self::Abgr32,
        Self::Rgba32,
        Self::Bgra32,
    ];

    /// The format with this V4L2 four-character code, in the order of the characters (`*b"YUYV"`); `None` for codes
    /// that cannot be encoded.
    ///
    /// A V4L2 `pixelformat` number becomes a code by `u32::to_le_bytes`.
    pub fn from_code(code: [u8; 4]) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.code() == code)
    }

    /// The V4L2 four-character code; [`PixelFormat::from_code`] takes it back to the same format.
    pub fn code(self) -> [u8; 4] {
        *match self {
            Self::Yuyv => b"YUYV",
            Self::Uyvy => b"UYVY",
            Self::Yvyu => b"YVYU",
            Self::Vyuy => b"VYUY",
            Self::Nv12 => b"NV12",
            Self::Nv21 => b"NV21",
            Self::Nv16 => b"NV16",
            Self::Nv61 => b"NV61",
            Self::Yu12 => b"YU12",
            Self::Yv12 => b"YV12",
            Self::Yuv422p => b"422P",
            Self::Grey => b"GREY",
            Self::Rgb24 => b"RGB3",
            Self::Bgr24 => b"BGR3",
            Self::Rgb32 => b"RGB4",
            Self::Bgr32 => b"BGR4",
            Self::Xrgb32 => b"BX24",
            Self::Xbgr32 => b"XR24",
            Self::Rgbx32 => b"XB24",
            Self::Bgrx32 => b"RX24",
            Self::Argb32 => b"BA24",
            Self::Abgr32 => b"AR24",
            Self::Rgba32 => b"AB24",
            Self::Bgra32 => b"RA24",
        }
    }

    /// Bits that a pixel takes, padding apart: 8 to 32.
    ///
    /// The format with the fewest is the cheapest to move and, in the same order, to encode. Mind that
    /// [`PixelFormat::Grey`] is the cheapest of all, for it has no colour.
    pub fn bits_per_pixel(self) -> u32 {
        match self.shape() {
            Shape::Grey => 8,
            Shape::SemiPlanar(Rows::Half) | Shape::Planar(Rows::Half) => 12,
            Shape::Packed | Shape::SemiPlanar(Rows::Full) | Shape::Planar(Rows::Full) => 16,
            Shape::Rgb { bytes: 3 } => 24,
            Shape::Rgb { .. } => 32,
        }
    }

    /// Whether pictures in this format have colour.
    pub fn has_colour(self) -> bool {
        self.shape() != Shape::Grey
    }

    /// How the samples are spread over planes, without regard to their order.
    pub(super) fn shape(self) -> Shape {
        match self {
            Self::Yuyv | Self::Uyvy | Self::Yvyu | Self::Vyuy => Shape::Packed,
            Self::Nv12 | Self::Nv21 => Shape::SemiPlanar(Rows::Half),
            Self::Nv16 | Self::Nv61 => Shape::SemiPlanar(Rows::Full),
            Self::Yu12 | Self::Yv12 => Shape::Planar(Rows::Half),
            Self::Yuv422p => Shape::Planar(Rows::Full),
            Self::Grey => Shape::Grey,
            Self::Rgb24 | Self::Bgr24 => Shape::Rgb { bytes: 3 },
            Self::Rgb32
            | Self::Bgr32
            | Self::Xrgb32
            | Self::Xbgr32
            | Self::Rgbx32
            | Self::Bgrx32
            | Self::Argb32
            | Self::Abgr32
            | Self::Rgba32
            | Self::Bgra32 => Shape::Rgb { bytes: 4 },
        }
    }
}

/// Writes the code, such as `YUYV`.
impl fmt::Display for PixelFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.code().escape_ascii())
    }
}

/// How the samples of a format are spread over planes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    /// One plane of luma.
    Grey,
    /// One plane; four bytes hold two pixels of 4:2:2.
    Packed,
    /// A plane of luma and one of chroma pairs, which are half as many as the pixels in a row.
    SemiPlanar(Rows),
    /// A plane of luma and two of chroma at half width.
    Planar(Rows),
    /// One plane of pixels.
    Rgb {
        /// Bytes in a pixel, 3 or 4.
        bytes: usize,
    },
}

/// How many rows a chroma plane has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rows {
    /// As many as the picture (4:2:2).
    Full,
    /// One for two rows of the picture (4:2:0).
    Half,
}

impl Rows {
    /// The row of the plane that belongs to row `y` of the picture.
    pub(super) fn of(self, y: usize) -> usize {
        match self {
            Self::Full => y,
            Self::Half => y / 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PixelFormat;

    #[test]
    fn every_code_leads_back_to_its_format() {
        for &format in PixelFormat::ALL {
            assert_eq!(PixelFormat::from_code(format.code()), Some(format));
        }
    }

    #[test]
    fn codes_of_compressed_and_unknown_formats_are_refused() {
        for code in [b"MJPG", b"H264", b"NM12", b"yuyv", b"\0\0\0\0"] {
            assert_eq!(PixelFormat::from_code(*code), None);
        }
    }

    #[test]
    fn the_bits_of_a_pixel_follow_the_sampling() {
        let bits = |code: &[u8; 4]| PixelFormat::from_code(*code).map(PixelFormat::bits_per_pixel);
        assert_eq!(bits(b"GREY"), Some(8));
        assert_eq!(bits(b"NV12"), Some(12));
        assert_eq!(bits(b"YV12"), Some(12));
        assert_eq!(bits(b"UYVY"), Some(16));
        assert_eq!(bits(b"NV16"), Some(16));
        assert_eq!(bits(b"BGR3"), Some(24));
        assert_eq!(bits(b"XR24"), Some(32));
    }

    #[test]
    fn a_format_is_shown_by_its_code() {
        assert_eq!(PixelFormat::Yuv422p.to_string(), "422P");
    }
}
