//! Converts samples to what JFIF requires: full-range BT.601 (ITU-T T.871).

use super::baseline::Stretch;
use super::layout::Range;
use wide::{i16x8, u16x8};

/// Returns how luma and chroma in `range` are stretched to full range.
pub(super) fn stretches(range: Range) -> [Stretch; 2] {
    match range {
        Range::Full => [Stretch { factor: 1.0, centre: 128.0 }; 2],
        Range::Limited => [
            // 16 becomes 0, and 235 becomes 255.
            Stretch { factor: 255.0 / 219.0, centre: 16.0 + 128.0 * 219.0 / 255.0 },
            Stretch { factor: 255.0 / 224.0, centre: 128.0 },
        ],
    }
}

/// Returns the luma of RGB pixels. The weights are 0.299, 0.587 and 0.114 (BT.601), in units of 1/65536.
#[inline(always)]
pub(super) fn luma_of([red, green, blue]: [i16x8; 3]) -> i16x8 {
    let part = |level: i16x8, weight: u16| (level.cast_unsigned() << 8_u32).mul_keep_high(u16x8::splat(weight));
    let sum = part(red, 19_595) + part(green, 38_470) + part(blue, 7_471);
    ((sum + 128) >> 8_u32).cast_signed()
}

/// Returns Cb and Cr for the mean of four RGB pixels, from the sums of their values (0 to 1020).
#[inline(always)]
pub(super) fn chroma_of([red, green, blue]: [i16x8; 3]) -> [i16x8; 2] {
    let part = |sum: i16x8, weight: u16| (sum.cast_unsigned() << 6_u32).mul_keep_high(u16x8::splat(weight));
    // Less than half is added, because the parts that are subtracted are rounded down, and because pure blue and pure red
    // must yield 255 instead of 256.
    let level = |sum: u16x8| ((sum + (128 << 8) + 126) >> 8_u32).cast_signed();
    [
        level(part(blue, 32_768) - part(red, 11_059) - part(green, 21_709)),
        level(part(red, 32_768) - part(green, 27_439) - part(blue, 5_329)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretching_limited_range_yields_full_range() {
        let [luma, chroma] = stretches(Range::Limited);
        let level = |stretch: Stretch, sample: f64| (sample - stretch.centre) * stretch.factor + 128.0;
        let levels = [(luma, 16.0), (luma, 235.0), (chroma, 16.0), (chroma, 128.0), (chroma, 240.0)];
        let found = levels.map(|(stretch, sample)| level(stretch, sample));
        for (found, expected) in found.into_iter().zip([0.0, 255.0, 0.5, 128.0, 255.5]) {
            assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
        }
    }

    #[test]
    fn grey_keeps_its_luma_and_has_neutral_chroma() {
        for value in 0..=255 {
            assert_eq!(luma_of([i16x8::splat(value); 3]), i16x8::splat(value));
            assert_eq!(chroma_of([i16x8::splat(value * 4); 3]), [i16x8::splat(128); 2]);
        }
    }

    #[test]
    fn pure_colours_reach_the_limits_of_chroma() {
        let chroma = |sums: [i16; 3]| chroma_of(sums.map(i16x8::splat)).map(|level| level.to_array()[7]);
        assert_eq!(chroma([0, 0, 1020]), [255, 107]);
        assert_eq!(chroma([1020, 0, 0]), [85, 255]);
        assert_eq!(chroma([1020, 1020, 0]), [0, 149]);
    }
}
