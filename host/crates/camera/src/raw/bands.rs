//! Divides a picture into bands that are encoded at the same time.

use std::ops::Range;

/// The bands of a picture. Each is a restart interval (ITU-T T.81, E.1.4), so none depends on another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Bands {
    rows: usize,
    rows_per_band: usize,
    /// The number of MCUs in a band, or 0 if there is only one band.
    pub(super) restart_interval: u16,
}

impl Bands {
    /// Divides rows of so many MCUs into up to `count` bands. Returns a single band if the MCUs of a band are more than
    /// 16 bits can count.
    pub(super) fn new(rows: usize, columns: usize, count: usize) -> Self {
        let rows_per_band = rows.div_ceil(count.max(1)).max(1);
        match u16::try_from(rows_per_band.saturating_mul(columns)) {
            Ok(restart_interval) if rows_per_band < rows => Self { rows, rows_per_band, restart_interval },
            _ => Self { rows, rows_per_band: rows.max(1), restart_interval: 0 },
        }
    }

    /// The rows of each band.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let Self { rows, rows_per_band, .. } = *self;
        (0..rows).step_by(rows_per_band).map(move |first| first..rows.min(first + rows_per_band))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(bands: Bands) -> Vec<[usize; 2]> {
        bands.ranges().map(|rows| [rows.start, rows.end]).collect()
    }

    #[test]
    fn bands_have_the_same_height_but_for_the_last() {
        assert_eq!(ranges(Bands::new(45, 80, 1)), [[0, 45]]);
        assert_eq!(ranges(Bands::new(45, 80, 2)), [[0, 23], [23, 45]]);
        assert_eq!(ranges(Bands::new(45, 80, 4)), [[0, 12], [12, 24], [24, 36], [36, 45]]);
        assert_eq!(ranges(Bands::new(2, 80, 5)), [[0, 1], [1, 2]]);
        assert_eq!(Bands::new(45, 80, 4).restart_interval, 12 * 80);
        assert_eq!(Bands::new(45, 80, 1).restart_interval, 0);
    }

    #[test]
    fn a_band_that_is_too_large_for_a_restart_interval_is_not_split_off() {
        assert_eq!(ranges(Bands::new(4096, 4096, 2)), [[0, 4096]]);
        assert_eq!(Bands::new(4096, 4096, 2).restart_interval, 0);
        assert_eq!(ranges(Bands::new(30, 4096, 2)), [[0, 15], [15, 30]]);
    }
}
