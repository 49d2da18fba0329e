//! Converts samples to what JFIF requires: full-range BT.601 (ITU-T T.871).

use super::layout::Range;

/// Lookup tables from the sample values of a camera to those of JFIF.
///
/// Lookup and rearrangement take about a tenth of the encoding time, so SIMD arithmetic would gain little.
#[derive(Debug)]
pub(super) struct RangeTables {
    luma: [u8; 256],
    chroma: [u8; 256],
}

impl RangeTables {
    /// Builds the tables for frames in `range`.
    pub(super) fn new(range: Range) -> Self {
        match range {
            Range::Full => {
                let identity = std::array::from_fn(|value| value as u8);
                Self { luma: identity, chroma: identity }
            }
            Range::Limited => Self { luma: stretched(16.0, 0.0, 219.0), chroma: stretched(128.0, 128.0, 224.0) },
        }
    }

    pub(super) fn luma(&self, value: u8) -> u8 {
        self.luma.get(usize::from(value)).copied().unwrap_or_default()
    }

    pub(super) fn chroma(&self, value: u8) -> u8 {
        self.chroma.get(usize::from(value)).copied().unwrap_or_default()
    }
}

/// Returns a table that maps `from` to `to` and stretches `span` steps to 255.
fn stretched(from: f32, to: f32, span: f32) -> [u8; 256] {
    // `as u8` saturates.
    std::array::from_fn(|value| ((value as f32 - from) * 255.0 / span + to).round() as u8)
}

/// Returns the luma of an RGB pixel. The weights are 0.299, 0.587 and 0.114 (BT.601), in units of 1/65536.
pub(super) fn luma_of([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 19595 * u32::from(red) + 38470 * u32::from(green) + 7471 * u32::from(blue);
    ((sum + (1 << 15)) >> 16) as u8
}

/// Returns Cb and Cr for the mean of four RGB pixels, from the sums of their values (0 to 1020).
pub(super) fn chroma_of([red, green, blue]: [u16; 3]) -> [u8; 2] {
    let [red, green, blue] = [red, green, blue].map(i32::from);
    // Rounds half down, so that pure blue and pure red yield 255 instead of 256.
    let level = |sum: i32| ((sum + (128 << 18) + (1 << 17) - 1) >> 18) as u8;
    [level(32768 * blue - 11059 * red - 21709 * green), level(32768 * red - 27439 * green - 5329 * blue)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_range_values_stay_unchanged() {
        let tables = RangeTables::new(Range::Full);
        for value in 0..=255 {
            assert_eq!((tables.luma(value), tables.chroma(value)), (value, value));
        }
    }

    #[test]
    fn limited_range_values_are_stretched() {
        let tables = RangeTables::new(Range::Limited);
        assert_eq!([0, 16, 126, 235, 255].map(|value| tables.luma(value)), [0, 0, 128, 255, 255]);
        assert_eq!([0, 15, 72, 128, 200, 241, 255].map(|value| tables.chroma(value)), [0, 0, 64, 128, 210, 255, 255]);
    }

    #[test]
    fn grey_keeps_its_luma_and_has_neutral_chroma() {
        for value in 0..=255 {
            assert_eq!(luma_of([value; 3]), value);
            assert_eq!(chroma_of([u16::from(value) * 4; 3]), [128, 128]);
        }
    }

    #[test]
    fn pure_colours_reach_the_limits_of_chroma() {
        assert_eq!(chroma_of([0, 0, 1020]), [255, 107]);
        assert_eq!(chroma_of([1020, 0, 0]), [85, 255]);
        assert_eq!(chroma_of([1020, 1020, 0]), [0, 149]);
    }
}
