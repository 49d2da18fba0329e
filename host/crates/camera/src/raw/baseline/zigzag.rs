//! The order in which a JPEG stores the coefficients of a block (ITU-T T.81, figure A.6).
//!
//! The positions here are those after [`coefficients`](super::dct::coefficients): column by column.

use wide::{i16x8, u8x16};

/// The position of each coefficient, in the order of storage.
pub(super) const POSITIONS: [u8; 64] = positions();

/// For each column and each set of its rows, as a bit each: the same set in the order of storage.
static ORDERED: [[u64; 256]; 8] = ordered();

/// A set of coefficients, with a bit for each in the order of storage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct CoefficientSet(pub(super) u64);

impl CoefficientSet {
    /// The coefficients that are not zero. None may be negative.
    #[inline(always)]
    pub(super) fn new(magnitudes: &[i16x8; 8]) -> Self {
        let pairs = magnitudes.as_chunks::<2>().0.iter().zip(ORDERED.as_chunks::<2>().0);
        Self(pairs.fold(0, |set, (&[left, right], [left_order, right_order])| {
            // The conversion saturates, so numbers other than zero remain so.
            let zeros = u8x16::narrow_i16x8(left, right).simd_eq(u8x16::ZERO).to_bitmask();
            let [left, right, ..] = (!zeros).to_le_bytes();
            let ordered = |order: &[u64; 256], rows: u8| order.get(usize::from(rows)).copied().unwrap_or_default();
            set | ordered(left_order, left) | ordered(right_order, right)
        }))
    }
}

#[allow(clippy::indexing_slicing, reason = "evaluated at compile time, where an index out of range is an error")]
const fn positions() -> [u8; 64] {
    let mut positions = [0; 64];
    let (mut row, mut column) = (0_u8, 0_u8);
    let mut index = 0;
    while index < 64 {
        positions[index] = column * 8 + row;
        let is_rising = (row + column).is_multiple_of(2);
        match (is_rising, row, column) {
            (true, _, 7) => row += 1,
            (true, 0, _) => column += 1,
            (true, ..) => (row, column) = (row - 1, column + 1),
            (false, 7, _) => column += 1,
            (false, _, 0) => row += 1,
            (false, ..) => (row, column) = (row + 1, column - 1),
        }
        index += 1;
    }
    positions
}

#[allow(clippy::indexing_slicing, reason = "evaluated at compile time, where an index out of range is an error")]
const fn ordered() -> [[u64; 256]; 8] {
    let mut ordered = [[0; 256]; 8];
    let mut index = 0;
    while index < 64 {
        let position = POSITIONS[index] as usize;
        let mut rows = 0;
        while rows < 256 {
            if rows >> (position % 8) & 1 == 1 {
                ordered[position / 8][rows] |= 1 << index;
            }
            rows += 1;
        }
        index += 1;
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_figure_a_6() {
        let rows = POSITIONS.map(|position| position % 8);
        let columns = POSITIONS.map(|position| position / 8);
        assert_eq!(rows[..12], [0, 0, 1, 2, 1, 0, 0, 1, 2, 3, 4, 3]);
        assert_eq!(columns[..12], [0, 1, 0, 0, 1, 2, 3, 2, 1, 0, 0, 1]);
        assert_eq!(POSITIONS[35..38].iter().map(|at| (at % 8, at / 8)).collect::<Vec<_>>(), [(7, 0), (7, 1), (6, 2)]);
        assert_eq!(POSITIONS[62..], [6 * 8 + 7, 7 * 8 + 7]);
        let mut all = POSITIONS;
        all.sort_unstable();
        assert_eq!(all, std::array::from_fn(|index| index as u8));
    }
}
