//! The discrete cosine transform (ITU-T T.81, A.3.3) in integers.

use super::blocks::Block;
use wide::{i16x8, u16x8};

/// How many times larger than its value a coefficient is, because the algorithm leaves out factors that quantization
/// can apply at no cost. The factor of row `v` and column `u` is `16 * SCALES[v] * SCALES[u]`.
pub(super) const SCALES: [f64; 8] =
    [1.0, 1.387_039_845, 1.306_562_965, 1.175_875_602, 1.0, 0.785_694_958, 0.541_196_100, 0.275_899_379];

/// The factor of all coefficients: 8 from the algorithm, and 2 for an additional bit of precision.
pub(super) const SCALE: f64 = 16.0;

/// The additional bits of precision between the two passes.
const PASS_BITS: u32 = 3;

/// Returns the coefficients of a block of samples, less 128 each, in columns: number `v` of element `u` belongs to row `v`
/// and column `u`.
///
/// The algorithm of Arai, Agui and Nakajima (1988): 5 multiplications and 29 additions for 8 samples. With samples of 8
/// bits, no intermediate value exceeds 16 bits: coefficients stay below 26,000, and sums below 21,000.
#[inline(always)]
pub(super) fn coefficients(block: &Block) -> [i16x8; 8] {
    let rows = block.0.map(|row| (row - 128) << (1 + PASS_BITS));
    let rounded = transform(rows).map(|row| (row + (1 << (PASS_BITS - 1))) >> PASS_BITS);
    transform(u16x8::transpose(rounded.map(i16x8::cast_unsigned)).map(u16x8::cast_signed))
}

/// Transforms eight columns at once: element `i` of the argument holds sample `i` of each.
#[inline(always)]
fn transform([s0, s1, s2, s3, s4, s5, s6, s7]: [i16x8; 8]) -> [i16x8; 8] {
    let [sum0, sum1, sum2, sum3] = [s0 + s7, s1 + s6, s2 + s5, s3 + s4];
    let [difference0, difference1, difference2, difference3] = [s0 - s7, s1 - s6, s2 - s5, s3 - s4];

    let [outer, inner] = [sum0 + sum3, sum1 + sum2];
    let [outer_difference, inner_difference] = [sum0 - sum3, sum1 - sum2];
    let rotated = times_0_707(inner_difference + outer_difference);

    let [low, middle, high] = [difference3 + difference2, difference2 + difference1, difference1 + difference0];
    let shared = times_0_383(low - high);
    let z2 = times_0_541(low) + shared;
    let z4 = times_1_307(high) + shared;
    let z3 = times_0_707(middle);
    let [z11, z13] = [difference0 + z3, difference0 - z3];
    [
        outer + inner,
        z11 + z4,
        outer_difference + rotated,
        z13 - z2,
        outer - inner,
        z13 + z2,
        outer_difference - rotated,
        z11 - z4,
    ]
}

/// Multiplies with the square root of 1/2. Like the functions below, it splits off 1 if the factor exceeds 1/2, which is
/// the largest that 16 bits with a sign can hold.
#[inline(always)]
fn times_0_707(value: i16x8) -> i16x8 {
    value + scaled(value, -0.292_893_219)
}

#[inline(always)]
fn times_0_383(value: i16x8) -> i16x8 {
    scaled(value, 0.382_683_433)
}

#[inline(always)]
fn times_0_541(value: i16x8) -> i16x8 {
    value + scaled(value, -0.458_803_900)
}

#[inline(always)]
fn times_1_307(value: i16x8) -> i16x8 {
    value + scaled(value, 0.306_562_965)
}

/// Multiplies with a factor from -1/2 to 1/2 and rounds down.
#[inline(always)]
fn scaled(value: i16x8, factor: f64) -> i16x8 {
    value.mul_keep_high(i16x8::splat((factor * 65_536.0) as i16))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::array;
    use std::f64::consts::{FRAC_1_SQRT_2, PI};

    /// The definition (A.3.3) in floating point.
    fn reference(block: &Block, u: usize, v: usize) -> f64 {
        let c = |index| if index == 0 { FRAC_1_SQRT_2 } else { 1.0 };
        let cosine = |sample: usize, index: usize| ((2 * sample + 1) as f64 * index as f64 * PI / 16.0).cos();
        let samples = block.0.iter().enumerate().flat_map(|(y, row)| {
            row.to_array()
                .into_iter()
                .enumerate()
                .map(move |(x, sample)| (f64::from(sample) - 128.0) * cosine(x, u) * cosine(y, v))
        });
        samples.sum::<f64>() * c(u) * c(v) / 4.0
    }

    /// The largest accepted error of a coefficient, before the factors are taken out: a third of a level for most.
    const TOLERANCE: f64 = 8.0;

    /// Returns the largest error of a coefficient.
    fn error(block: &Block) -> f64 {
        let found = coefficients(block);
        let errors = (0..64).map(|index| {
            let (u, v) = (index / 8, index % 8);
            let expected = reference(block, u, v) * SCALE * SCALES[u] * SCALES[v];
            (f64::from(found[u].to_array()[v]) - expected).abs()
        });
        errors.fold(0.0, f64::max)
    }

    #[test]
    fn coefficients_are_those_of_the_definition() {
        let mut seed = 1_u64;
        let mut noise = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as i16
        };
        for _ in 0..1000 {
            let block = Block(array::from_fn(|_| i16x8::new(array::from_fn(|_| noise()))));
            assert!(error(&block) < TOLERANCE, "{}", error(&block));
        }
    }

    /// The patterns with the largest coefficients: the signs of each basis function.
    #[test]
    fn the_largest_coefficients_do_not_overflow() {
        let sign = |sample: usize, index: usize| ((2 * sample + 1) as f64 * index as f64 * PI / 16.0).cos() >= 0.0;
        for (u, v) in (0..64).map(|index| (index / 8, index % 8)) {
            for inverted in [false, true] {
                let sample = |x, y| if (sign(x, u) == sign(y, v)) == inverted { 0 } else { 255 };
                let block = Block(array::from_fn(|y| i16x8::new(array::from_fn(|x| sample(x, y)))));
                assert!(error(&block) < TOLERANCE, "{u} {v}: {}", error(&block));
            }
        }
    }
}
