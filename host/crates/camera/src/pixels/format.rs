//! The bytes of a pixel.

use crate::raw::PixelFormat;

/// The bytes of a pixel. All values have the full range from 0 to 255.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Format {
    /// One byte: luma.
    Luma,
    /// Three bytes: red, green, blue.
    Rgb,
    /// Three bytes: Y, Cb and Cr by BT.601, as JFIF stores them (ITU-T T.871).
    Yuv,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Luma, Self::Rgb, Self::Yuv];

    /// The bytes of a pixel.
    pub fn bytes(self) -> usize {
        match self {
            Self::Luma => 1,
            Self::Rgb | Self::Yuv => 3,
        }
    }

    /// A black pixel; only the first [`bytes`](Self::bytes) count.
    pub(super) fn black(self) -> [u8; 3] {
        match self {
            Self::Luma | Self::Rgb => [0; 3],
            Self::Yuv => [0, 128, 128],
        }
    }

    /// The same format as input for the encoder.
    pub(super) fn raw(self) -> PixelFormat {
        match self {
            Self::Luma => PixelFormat::Grey,
            Self::Rgb => PixelFormat::Rgb24,
            Self::Yuv => PixelFormat::Yuv24,
        }
    }
}

/// Returns the RGB values of a colour in full-range BT.601 (ITU-T T.871, 7).
pub(super) fn rgb([luma, blue, red]: [u8; 3]) -> [u8; 3] {
    // In units of 1/65536.
    let luma = (i32::from(luma) << 16) + (1 << 15);
    let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
    let level = |value: i32| (value >> 16).clamp(0, 255) as u8;
    [level(luma + 91_881 * red), level(luma - 22_554 * blue - 46_802 * red), level(luma + 116_130 * blue)]
}

#[cfg(test)]
mod tests {
    use super::rgb;

    #[test]
    fn known_colours_are_converted() {
        for (yuv, expected) in [
            ([0, 128, 128], [0, 0, 0]),
            ([255, 128, 128], [255, 255, 255]),
            ([76, 85, 255], [254, 0, 0]),
            ([150, 44, 21], [0, 255, 1]),
            ([29, 255, 107], [0, 0, 254]),
        ] {
            assert_eq!(rgb(yuv), expected);
        }
    }
}
