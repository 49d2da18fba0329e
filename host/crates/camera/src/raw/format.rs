//! The supported pixel formats and their V4L2 codes.

use std::fmt;

/// A supported raw pixel format.
///
/// All formats have 8 bits per sample. Codes and byte orders follow the kernel's "Video for Linux API", chapters "RGB
/// Formats", "Packed YUV formats", "Planar YUV formats" and "Luma-Only Formats". Alpha is ignored.
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
    /// `GREY`: only Y.
    Grey,
    /// `YUV3`: 4:4:4, the bytes Y Cb Cr.
    Yuv24,
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
        Self::Yuv24,
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

    /// Returns the format with this V4L2 four-character code (`*b"YUYV"`), or `None` for an unsupported code. Its planes
    /// follow each other in one buffer.
    ///
    /// `u32::to_le_bytes` converts a V4L2 `pixelformat` number to such a code.
    pub fn from_code(code: [u8; 4]) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.code() == code)
    }

    /// Returns the format with this code (`*b"NM12"`) whose planes have a buffer each, or `None` for an unsupported
    /// code.
    pub fn from_multi_planar_code(code: [u8; 4]) -> Option<Self> {
        Some(match &code {
            b"NM12" => Self::Nv12,
            b"NM21" => Self::Nv21,
            b"NM16" => Self::Nv16,
            b"NM61" => Self::Nv61,
            b"YM12" => Self::Yu12,
            b"YM21" => Self::Yv12,
            b"YM16" => Self::Yuv422p,
            _ => return None,
        })
    }

    /// Returns the V4L2 four-character code of the format in one buffer.
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
            Self::Yuv24 => b"YUV3",
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

    /// The bits per pixel without padding, 8 to 32. A format with fewer bits is cheaper to transfer and to encode.
    pub fn bits_per_pixel(self) -> u32 {
        match self.plane_layout() {
            PlaneLayout::Grey => 8,
            PlaneLayout::SemiPlanar(ChromaSubsampling::Yuv420) | PlaneLayout::Planar(ChromaSubsampling::Yuv420) => 12,
            PlaneLayout::Packed
            | PlaneLayout::SemiPlanar(ChromaSubsampling::Yuv422)
            | PlaneLayout::Planar(ChromaSubsampling::Yuv422) => 16,
            PlaneLayout::Pixels { bytes: 3 } => 24,
            PlaneLayout::Pixels { .. } => 32,
        }
    }

    /// Whether this format has colour.
    pub fn has_colour(self) -> bool {
        self.plane_layout() != PlaneLayout::Grey
    }

    /// Returns the row of the planes of chroma for row `y` of the picture.
    pub(super) fn chroma_row(self, y: usize) -> usize {
        match self.plane_layout() {
            PlaneLayout::SemiPlanar(ChromaSubsampling::Yuv420) | PlaneLayout::Planar(ChromaSubsampling::Yuv420) => {
                y / 2
            }
            _ => y,
        }
    }

    /// Whether pixels consist of red, green and blue.
    pub(super) fn is_rgb(self) -> bool {
        matches!(self.plane_layout(), PlaneLayout::Pixels { .. }) && self != Self::Yuv24
    }

    /// The arrangement of the samples in planes, regardless of their order.
    pub(super) fn plane_layout(self) -> PlaneLayout {
        match self {
            Self::Yuyv | Self::Uyvy | Self::Yvyu | Self::Vyuy => PlaneLayout::Packed,
            Self::Nv12 | Self::Nv21 => PlaneLayout::SemiPlanar(ChromaSubsampling::Yuv420),
            Self::Nv16 | Self::Nv61 => PlaneLayout::SemiPlanar(ChromaSubsampling::Yuv422),
            Self::Yu12 | Self::Yv12 => PlaneLayout::Planar(ChromaSubsampling::Yuv420),
            Self::Yuv422p => PlaneLayout::Planar(ChromaSubsampling::Yuv422),
            Self::Grey => PlaneLayout::Grey,
            Self::Yuv24 | Self::Rgb24 | Self::Bgr24 => PlaneLayout::Pixels { bytes: 3 },
            Self::Rgb32
            | Self::Bgr32
            | Self::Xrgb32
            | Self::Xbgr32
            | Self::Rgbx32
            | Self::Bgrx32
            | Self::Argb32
            | Self::Abgr32
            | Self::Rgba32
            | Self::Bgra32 => PlaneLayout::Pixels { bytes: 4 },
        }
    }
}

/// Formats as the code, such as `YUYV`.
impl fmt::Display for PixelFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.code().escape_ascii())
    }
}

/// The arrangement of samples in planes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PlaneLayout {
    /// A plane of luma.
    Grey,
    /// A plane in which four bytes hold two 4:2:2 pixels.
    Packed,
    /// A plane of luma, and a plane of chroma pairs with one pair for two pixels in a row.
    SemiPlanar(ChromaSubsampling),
    /// A plane of luma, and two planes of chroma with half the width.
    Planar(ChromaSubsampling),
    /// A plane of whole pixels.
    Pixels {
        /// Bytes per pixel, 3 or 4.
        bytes: usize,
    },
}

/// The number of rows in a chroma plane.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ChromaSubsampling {
    /// One row per row of the picture.
    Yuv422,
    /// One row per two rows of the picture.
    Yuv420,
}

#[cfg(test)]
mod tests {
    use super::PixelFormat;

    #[test]
    fn every_code_maps_back_to_its_format() {
        for &format in PixelFormat::ALL {
            assert_eq!(PixelFormat::from_code(format.code()), Some(format));
        }
    }

    #[test]
    fn unsupported_codes_are_rejected() {
        for code in [b"MJPG", b"H264", b"NM12", b"yuyv", b"\0\0\0\0"] {
            assert_eq!(PixelFormat::from_code(*code), None);
        }
    }

    #[test]
    fn formats_with_a_buffer_for_each_plane_have_codes_of_their_own() {
        assert_eq!(PixelFormat::from_multi_planar_code(*b"NM12"), Some(PixelFormat::Nv12));
        for code in [b"NV12", b"YM24", b"MJPG"] {
            assert_eq!(PixelFormat::from_multi_planar_code(*code), None);
        }
    }

    #[test]
    fn bits_per_pixel_follow_the_subsampling() {
        let bits = |code: &[u8; 4]| PixelFormat::from_code(*code).map(PixelFormat::bits_per_pixel);
        assert_eq!(bits(b"GREY"), Some(8));
        assert_eq!(bits(b"NV12"), Some(12));
        assert_eq!(bits(b"YV12"), Some(12));
        assert_eq!(bits(b"UYVY"), Some(16));
        assert_eq!(bits(b"NV16"), Some(16));
        assert_eq!(bits(b"BGR3"), Some(24));
        assert_eq!(bits(b"YUV3"), Some(24));
        assert_eq!(bits(b"XR24"), Some(32));
    }

    #[test]
    fn formats_display_as_their_code() {
        assert_eq!(PixelFormat::Yuv422p.to_string(), "422P");
    }
}
