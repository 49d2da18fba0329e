//! Sample values as JFIF wants them: BT.601 over the full range (ITU-T T.871).

use super::layout::Range;

/// Tables from the values of a camera to those of JFIF.
///
/// Looking samples up and sorting them into rows takes about a tenth of the time that an image takes, so there is
/// little to gain from arithmetic on many samples at once.
#[derive(Debug)]
pub(super) struct Levels {
    luma: [u8; 256],
    chroma: [u8; 256],
}

impl Levels {
    pub(super) fn new(range: Range) -> Self {
        match range {
            Range::Full => {
                let same = std::array::from_fn(|value| value as u8);
                Self { luma: same, chroma: same }
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

/// A table that maps `from` onto `to` and widens `span` steps to 255.
fn stretched(from: f32, to: f32, span: f32) -> [u8; 256] {
    // `as u8` brings what is out of range to the nearest end.
    std::array::from_fn(|value| ((value as f32 - from) * 255.0 / span + to).round() as u8)
}

/// Luma of an RGB pixel, with the weights 0.299, 0.587 and 0.114 of BT.601 in 1/65536.
pub(super) fn luma_of([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 19595 * u32::from(red) + 38470 * u32::from(green) + 7471 * u32::from(blue);
    ((sum + (1 << 15)) >> 16) as u8
}

/// Cb and Cr of the mean of four RGB pixels, which are given as sums (0 to 1020).
pub(super) fn chroma_of([red, green, blue]: [u16; 3]) -> [u8; 2] {
    let [red, green, blue] = [red, green, blue].map(i32::from);
    // One less than a half is added to round, so that pure blue and pure red end at 255 and not at 256.
    let level = |sum: i32| ((sum + (128 << 18) + (1 << 17) - 1) >> 18) as u8;
    [level(32768 * blue - 11059 * red - 21709 * green), level(32768 * red - 27439 * green - 5329 * blue)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_range_levels_stay_as_they_are() {
        let levels = Levels::new(Range::Full);
        for value in 0..=255 {
            assert_eq!((levels.luma(value), levels.chroma(value)), (value, value));
        }
    }

    #[test]
    fn limited_range_levels_are_stretched_to_the_ends() {
        let levels = Levels::new(Range::Limited);
        assert_eq!([0, 16, 126, 235, 255].map(|value| levels.luma(value)), [0, 0, 128, 255, 255]);
        assert_eq!([0, 15, 72, 128, 200, 241, 255].map(|value| levels.chroma(value)), [0, 0, 64, 128, 210, 255, 255]);
    }

    #[test]
    fn greys_have_neutral_chroma_and_their_own_luma() {
        for value in 0..=255 {
            assert_eq!(luma_of([value; 3]), value);
            assert_eq!(chroma_of([u16::from(value) * 4; 3]), [128, 128]);
        }
    }

    #[test]
    fn pure_colours_reach_the_ends_of_chroma() {
        assert_eq!(chroma_of([0, 0, 1020]), [255, 107]);
        assert_eq!(chroma_of([1020, 0, 0]), [85, 255]);
        assert_eq!(chroma_of([1020, 1020, 0]), [0, 149]);
    }
}
