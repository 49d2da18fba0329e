//! Reads entropy-coded data bit by bit (F.2.2.5), many bits at a time.

use super::error::JpegError;
use super::markers::{MARKER, RST0};

/// The most unused bytes accepted before the end marker and before a restart marker: some encoders pad to a whole word.
/// A larger limit would accept damage that ends an image a few blocks early.
pub const MAX_TRAILING_BYTES: u64 = 4;

/// A position in the data. Passed by value and infallible, so that the compiler keeps it in registers.
#[derive(Clone, Copy)]
pub(super) struct BitReader<'a> {
    data: &'a [u8],
    /// The next byte to read into the buffer.
    position: usize,
    /// The next bits, from the most significant bit down. The bits below `count` are zero, or equal the bits at
    /// `position`.
    buffer: u64,
    /// The number of valid bits in the buffer.
    count: u32,
}

/// Counts the zero bits that the reader supplies after the end of the data.
#[derive(Clone, Copy)]
pub(super) struct ZeroPadding {
    /// Zero bits that were put into the buffer so far.
    supplied: u64,
    /// Zero bits that may be consumed.
    allowed: u64,
}

impl ZeroPadding {
    /// Allows `allowed` zero bits to count as data.
    pub(super) fn new(allowed: u64) -> Self {
        Self { supplied: 0, allowed }
    }
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit of `data`.
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0, buffer: 0, count: 0 }
    }

    /// Returns the next `COUNT` bits without consuming them. The buffer must hold that many.
    #[inline(always)]
    pub(super) fn peek<const COUNT: u32>(self) -> usize {
        (self.buffer >> (u64::BITS - COUNT)) as usize
    }

    /// Returns the signed number of `size` bits that follows the next `before` bits (F.2.2.1: RECEIVE and EXTEND).
    /// `before + size` must be at most 32.
    #[inline(always)]
    pub(super) fn receive_extend(self, before: u32, size: u32) -> i32 {
        let bits = self.buffer << before;
        let value = (bits >> 1 >> (63 - size)) as i32;
        // A leading 0 means that the number is negative.
        if bits >> 63 == 0 { value + 1 - (1 << size) } else { value }
    }

    /// Consumes `count` bits. The buffer must hold that many.
    #[inline(always)]
    pub(super) fn consume(self, count: u32) -> Self {
        Self { buffer: self.buffer << count, count: self.count.wrapping_sub(count), ..self }
    }

    /// Fills the buffer to at least 56 bits.
    #[inline(always)]
    pub(super) fn refill(self, padding: &mut ZeroPadding) -> Self {
        if let Some(chunk) = self.data.get(self.position..).and_then(|rest| rest.first_chunk()) {
            let word = u64::from_be_bytes(*chunk);
            // Counts only whole bytes. The buffer also receives bits of the byte after them, and again at the next
            // refill, which sets the same bits.
            let room = 63 - self.count;
            if !has_marker_byte(word, room & !7) {
                return Self {
                    buffer: self.buffer | word >> self.count,
                    position: self.position + (room >> 3) as usize,
                    count: self.count | 56,
                    ..self
                };
            }
        }
        let (position, buffer, count) = refill_bytewise(self.data, self.position, self.buffer, self.count, padding);
        Self { position, buffer, count, ..self }
    }

    /// Whether more bits were consumed than the data and the allowed padding contain.
    pub(super) fn is_past_end(self, padding: &ZeroPadding) -> bool {
        padding.supplied > u64::from(self.count) + padding.allowed
    }

    /// Checks that the data end here, at a marker or at the end of the slice. Returns the position of the end.
    pub(super) fn finish(self, mut padding: ZeroPadding) -> Result<usize, JpegError> {
        let (position, buffer, count) =
            refill_bytewise(self.data, self.position, self.buffer, self.count, &mut padding);
        let filled = Self { position, buffer, count, ..self };
        if filled.is_past_end(&padding) {
            return Err(JpegError::MissingData);
        }
        // Up to seven bits pad the last byte (F.1.2.3). They should be ones, but some encoders do not care.
        let unused_bytes = u64::from(count).saturating_sub(padding.supplied) / 8;
        let has_more = match (self.data.get(position), self.data.get(position + 1)) {
            (None, _) | (Some(&MARKER), None) => false,
            (Some(&MARKER), Some(&next)) => next == 0,
            _ => true,
        };
        if has_more || unused_bytes > MAX_TRAILING_BYTES { Err(JpegError::ExcessData) } else { Ok(position) }
    }

    /// Consumes the restart marker `number` (modulo 8), which must come next.
    pub(super) fn restart(self, number: usize, padding: &mut ZeroPadding) -> Result<Self, JpegError> {
        let position = self.finish(*padding)?;
        *padding = ZeroPadding::new(padding.allowed);
        match self.data.get(position + 1) {
            Some(&marker) if usize::from(marker) == usize::from(RST0) + number % 8 => {
                Ok(Self { position: position + 2, ..Self::new(self.data) })
            }
            _ => Err(JpegError::InvalidRestart),
        }
    }
}

/// [`BitReader::refill`] byte by byte, for an FF or the end among the next bytes. Takes the fields as separate
/// arguments because a reference to the reader would force it into memory.
#[cold]
#[inline(never)]
fn refill_bytewise(
    data: &[u8],
    mut position: usize,
    mut buffer: u64,
    mut count: u32,
    padding: &mut ZeroPadding,
) -> (usize, u64, u32) {
    while count < 56 {
        let (byte, width) = match (data.get(position), data.get(position + 1)) {
            (Some(&MARKER), Some(0)) => (MARKER, 2),
            // A fill byte before a marker (B.1.1.2).
            (Some(&MARKER), Some(&MARKER)) => {
                position += 1;
                continue;
            }
            (Some(&MARKER), _) | (None, _) => {
                // Clear bits of the marker that an earlier refill put in.
                buffer &= !(u64::MAX >> count);
                let room = (63 - count) & !7;
                count += room;
                padding.supplied += u64::from(room);
                break;
            }
            (Some(&byte), _) => (byte, 1),
        };
        buffer |= u64::from(byte) << (56 - count);
        count += 8;
        position += width;
    }
    (position, buffer, count)
}

/// Whether one of the bytes in the first `bits` bits of `word` is FF. `bits` must be at most 63.
#[inline(always)]
fn has_marker_byte(word: u64, bits: u32) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The top bit of a byte stays set if the byte is FF, or is above an FF in the word.
    let found = (!word).wrapping_sub(ONES) & word & (ONES << 7);
    found & !(u64::MAX >> bits) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ff_byte_is_found_within_the_given_bits_only() {
        for place in 0..7 {
            let word = 0x7E7E_7E7E_7E7E_7E7E_u64 | 0xFF << (56 - 8 * place);
            for bits in 0..7 {
                assert_eq!(has_marker_byte(word, 8 * bits), bits > place, "{word:x}, {bits} bytes");
            }
        }
        assert!((0..0xFF_u8).all(|byte| !has_marker_byte(u64::from_be_bytes([byte; 8]), 56)));
    }

    #[test]
    fn bits_do_not_depend_on_the_number_consumed_at_once() {
        let bytes: Vec<u8> = (0..200_u8).map(|i| if i % 23 == 0 { MARKER } else { i }).collect();
        let data: Vec<u8> =
            bytes.iter().flat_map(|byte| if *byte == MARKER { vec![MARKER, 0] } else { vec![*byte] }).collect();
        let expected: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
        for step in 1..=56 {
            let (mut bits, mut padding, mut text) = (BitReader::new(&data), ZeroPadding::new(0), String::new());
            while text.len() < expected.len() {
                bits = bits.refill(&mut padding);
                for _ in 0..step {
                    text += if bits.peek::<1>() == 1 { "1" } else { "0" };
                    bits = bits.consume(1);
                }
            }
            text.truncate(expected.len());
            assert_eq!(text, expected, "in steps of {step}");
        }
    }

    #[test]
    fn signed_numbers_follow_table_f_1() {
        // The first and the last number of each half, by size.
        for (byte, size, number) in
            [(0, 0, 0), (0xFF, 0, 0), (0, 1, -1), (0x80, 1, 1), (0, 3, -7), (0x60, 3, -4), (0x80, 3, 4), (0xE0, 3, 7)]
        {
            let data = [0xA5, byte];
            let bits = BitReader::new(&data).refill(&mut ZeroPadding::new(0));
            assert_eq!(bits.receive_extend(8, size), number, "{byte:02x}, {size} bits");
        }
    }

    #[test]
    fn reading_past_the_end_is_detected() {
        let read = |data: &[u8], allowed, count| {
            let (mut bits, mut padding) = (BitReader::new(data), ZeroPadding::new(allowed));
            for _ in 0..count {
                bits = bits.refill(&mut padding).consume(1);
            }
            bits.finish(padding)
        };
        for data in [&[1, 2, 3][..], &[1, 2, 3, MARKER], &[1, 2, 3, MARKER, RST0, 1, 2], &[1, 2, 3, MARKER, MARKER, 1]]
        {
            assert!(read(data, 0, 24).is_ok());
            assert_eq!(read(data, 0, 25), Err(JpegError::MissingData));
            assert_eq!(read(data, 0, 25_000), Err(JpegError::MissingData));
            assert!(read(data, 800, 824).is_ok());
            assert_eq!(read(data, 800, 825), Err(JpegError::MissingData));
        }
    }

    #[test]
    fn only_a_few_unused_bytes_are_accepted() {
        for length in 0..40 {
            let unused = BitReader::new(&vec![0x55; length]).finish(ZeroPadding::new(0));
            assert_eq!(unused.is_ok(), length as u64 <= MAX_TRAILING_BYTES, "{length}");
        }
    }
}
