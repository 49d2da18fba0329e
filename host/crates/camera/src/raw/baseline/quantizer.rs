//! Divides coefficients by the quantization tables (ITU-T T.81, A.3.4).

use super::dct::{SCALE, SCALES};
use super::zigzag::{CoefficientSet, POSITIONS};
use std::array;
use wide::{i16x8, u16x8};

/// Table K.1: luminance, row by row.
#[rustfmt::skip]
const LUMINANCE: [u8; 64] = [
    16, 11, 10, 16,  24,  40,  51,  61,
    12, 12, 14, 19,  26,  58,  60,  55,
    14, 13, 16, 24,  40,  57,  69,  56,
    14, 17, 22, 29,  51,  87,  80,  62,
    18, 22, 37, 56,  68, 109, 103,  77,
    24, 35, 55, 64,  81, 104, 113,  92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103,  99,
];

/// Table K.2: chrominance, row by row.
#[rustfmt::skip]
const CHROMINANCE: [u8; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
];

/// The largest quantized coefficient of a baseline JPEG (F.1.2.2.1), for which there is a Huffman code. Two DC
/// coefficients up to this value have a difference for which there is one, too.
const MAX_COEFFICIENT: i16x8 = i16x8::splat(1023);

/// Stretches the samples of a component.
#[derive(Clone, Copy, Debug)]
pub(in crate::raw) struct Stretch {
    /// The factor.
    pub(in crate::raw) factor: f64,
    /// The sample that becomes 128.
    pub(in crate::raw) centre: f64,
}

/// Stretches the samples of a component to full range and quantizes their coefficients. The former takes no time,
/// because the transform is linear.
#[derive(Clone, Debug)]
pub(super) struct Quantizer {
    /// The table, column by column.
    table: [u8; 64],
    /// Added to the DC coefficient.
    offset: i16x8,
    columns: [Column; 8],
}

/// The factors for eight coefficients.
#[derive(Clone, Copy, Debug, Default)]
struct Column {
    /// Half of the divisor, for rounding.
    half: u16x8,
    /// 65536 / divisor * 2^shift, from 32768 to 65535.
    reciprocal: u16x8,
    /// 32768 / 2^shift.
    shift: u16x8,
}

impl Quantizer {
    /// A quantizer for luma. `quality` is from 1 to 100.
    pub(super) fn luminance(quality: u8, stretch: Stretch) -> Self {
        Self::new(&LUMINANCE, quality, stretch)
    }

    /// A quantizer for chroma.
    pub(super) fn chrominance(quality: u8, stretch: Stretch) -> Self {
        Self::new(&CHROMINANCE, quality, stretch)
    }

    fn new(base: &[u8; 64], quality: u8, stretch: Stretch) -> Self {
        let table = array::from_fn(|position| {
            let (column, row) = (position / 8, position % 8);
            scaled(base.get(row * 8 + column).copied().unwrap_or(u8::MAX), quality)
        });
        let scale = |index: usize| SCALES.get(index).copied().unwrap_or(1.0);
        let mut columns = [Column::default(); 8];
        for ((u, column), divisors) in columns.iter_mut().enumerate().zip(table.as_chunks::<8>().0) {
            let divisors: [f64; 8] = array::from_fn(|v| {
                let divisor = f64::from(divisors.get(v).copied().unwrap_or(u8::MAX));
                divisor * SCALE * scale(u) * scale(v) / stretch.factor
            });
            column.half = u16x8::new(divisors.map(|divisor| (divisor / 2.0) as u16));
            // `as u16` saturates.
            column.reciprocal = u16x8::new(
                divisors.map(|divisor| (65_536.0 / divisor * f64::from(1_u16 << shift(divisor))).round() as u16),
            );
            column.shift = u16x8::new(divisors.map(|divisor| 0x8000 >> shift(divisor)));
        }
        let offset = i16x8::new([((128.0 - stretch.centre) * 8.0 * SCALE).round() as i16, 0, 0, 0, 0, 0, 0, 0]);
        Self { table, offset, columns }
    }

    /// The table in the order of storage.
    pub(super) fn table(&self) -> [u8; 64] {
        POSITIONS.map(|position| self.table.get(usize::from(position)).copied().unwrap_or(u8::MAX))
    }

    /// Divides the coefficients and rounds them to the nearest integer. Returns them column by column, and the set of
    /// those that are not zero.
    #[inline(always)]
    pub(super) fn quantize(&self, mut coefficients: [i16x8; 8]) -> ([i16; 64], CoefficientSet) {
        let [first, ..] = &mut coefficients;
        *first += self.offset;
        let [c0, c1, c2, c3, c4, c5, c6, c7] = coefficients;
        let [q0, q1, q2, q3, q4, q5, q6, q7] = &self.columns;
        let magnitudes = [
            q0.divide(c0),
            q1.divide(c1),
            q2.divide(c2),
            q3.divide(c3),
            q4.divide(c4),
            q5.divide(c5),
            q6.divide(c6),
            q7.divide(c7),
        ];
        let mut values = [0; 64];
        for ((values, magnitude), coefficient) in values.as_chunks_mut().0.iter_mut().zip(magnitudes).zip(coefficients)
        {
            let sign = coefficient >> 15_u32;
            *values = ((magnitude ^ sign) - sign).to_array();
        }
        (values, CoefficientSet::new(&magnitudes))
    }
}

impl Column {
    /// Returns the rounded quotients, without a sign.
    #[inline(always)]
    fn divide(&self, coefficients: i16x8) -> i16x8 {
        // Below 30,100, so that twice as much is less than 65,536.
        let rounding = coefficients.abs().cast_unsigned() + self.half;
        let quotients = (rounding + rounding).mul_keep_high(self.reciprocal).mul_keep_high(self.shift);
        quotients.cast_signed().min(MAX_COEFFICIENT)
    }
}

/// Returns the power of two that lies at or below the divisor, at least 0.
fn shift(divisor: f64) -> u16 {
    divisor.log2().clamp(0.0, 15.0) as u16
}

/// Scales an entry of a table for a quality from 1 to 100, like libjpeg.
fn scaled(entry: u8, quality: u8) -> u8 {
    let quality = u32::from(quality).clamp(1, 100);
    let percent = if quality < 50 { 5000 / quality } else { 200 - quality * 2 };
    let scaled = (u32::from(entry) * percent + 50) / 100;
    // In the range by the clamp.
    scaled.clamp(1, 255) as u8
}
