//! Rearranges the bytes of pixels, 16 at a time.

use wide::bytemuck::cast;
use wide::{i16x8, u8x16, u16x8};

// Pairs of bytes are read as numbers of 16 bits.
const _: () = assert!(cfg!(target_endian = "little"), "the processor must be little-endian");

/// Returns the bytes at even positions and those at odd positions.
#[inline(always)]
pub(super) fn halves(bytes: [u8x16; 2]) -> [u8x16; 2] {
    let [low, high] = bytes.map(pairs);
    let [[first_even, first_odd], [second_even, second_odd]] = [low, high];
    [u8x16::narrow_i16x8(first_even, second_even), u8x16::narrow_i16x8(first_odd, second_odd)]
}

/// Returns the bytes at positions that leave the remainders 0, 1 and 2 when divided by 3.
#[inline(always)]
pub(super) fn thirds(bytes: [u8x16; 3]) -> [u8x16; 3] {
    // Each step takes every byte, as one of 48, to twice its position, modulo 47. Four steps are a factor of 16.
    (0..4).fold(bytes, |[a, b, c], _| {
        [u8x16::unpack_low(a, swapped(b)), u8x16::unpack_low(swapped(a), c), u8x16::unpack_low(b, swapped(c))]
    })
}

/// Exchanges the first eight bytes and the others.
#[inline(always)]
fn swapped(bytes: u8x16) -> u8x16 {
    let [low, high]: [u64; 2] = cast(bytes);
    cast([high, low])
}

/// Returns the bytes at even positions and those at odd positions, as numbers.
#[inline(always)]
pub(super) fn pairs(bytes: u8x16) -> [i16x8; 2] {
    let pairs: u16x8 = cast(bytes);
    [(pairs & 0x00FF).cast_signed(), (pairs >> 8_u32).cast_signed()]
}

/// Returns the first eight bytes and the others, as numbers.
#[inline(always)]
pub(super) fn numbers(bytes: u8x16) -> [i16x8; 2] {
    [cast(u8x16::unpack_low(bytes, u8x16::ZERO)), cast(u8x16::unpack_high(bytes, u8x16::ZERO))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::array;

    fn counting<const N: usize>() -> [u8x16; N] {
        array::from_fn(|vector| u8x16::new(array::from_fn(|byte| (vector * 16 + byte) as u8)))
    }

    #[test]
    fn halves_and_thirds_are_every_second_and_every_third_byte() {
        let every = |step: usize| move |start: usize| u8x16::new(array::from_fn(|byte| (start + byte * step) as u8));
        assert_eq!(halves(counting()), [0, 1].map(every(2)));
        assert_eq!(thirds(counting()), [0, 1, 2].map(every(3)));
    }

    #[test]
    fn bytes_become_numbers_without_a_sign() {
        let bytes = u8x16::new(array::from_fn(|byte| 255 - byte as u8));
        let every = |start: i16, step: i16| i16x8::new(array::from_fn(|number| 255 - start - number as i16 * step));
        assert_eq!(pairs(bytes), [every(0, 2), every(1, 2)]);
        assert_eq!(numbers(bytes), [every(0, 1), every(8, 1)]);
    }
}
