//! Reading the entropy-coded data of a scan bit by bit (F.2.2.5), many at a time.

use super::{JpegError, MARKER, RST0, scan::SLACK};

/// A place in the data. It is passed by value and never fails, which lets the compiler keep it in registers.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// The next byte to read into the buffer.
    position: usize,
    /// The bits that come next, from the highest on. Those below `count` are zeros, or what `position` has.
    buffer: u64,
    /// How many bits of the buffer are read.
    count: u32,
}

/// What is behind the end of the data: zero bits, without end.
#[derive(Clone, Copy)]
pub(super) struct Beyond {
    /// How many are in the buffer, or have been used.
    given: u64,
    /// How many may be used.
    allowed: u64,
}

impl Beyond {
    /// This many zero bits may be part of the data.
    pub(super) fn new(allowed: u64) -> Self {
        Self { given: 0, allowed }
    }
}

impl<'a> Bits<'a> {
    /// The bits of `data`.
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0, buffer: 0, count: 0 }
    }

    /// The next `COUNT` bits as a number. At least as many must have been filled in.
    #[inline(always)]
    pub(super) fn peek<const COUNT: u32>(self) -> usize {
        (self.buffer >> (u64::BITS - COUNT)) as usize
    }

    /// The number that `size` bits encode, behind the next `before` bits (F.2.2.1: RECEIVE and EXTEND). At most 32
    /// bits in all.
    #[inline(always)]
    pub(super) fn number(self, before: u32, size: u32) -> i32 {
        let bits = self.buffer << before;
        let value = (bits >> 1 >> (63 - size)) as i32;
        // A first bit of 0 makes it negative.
        if bits >> 63 == 0 { value + 1 - (1 << size) } else { value }
    }

    /// Go on by `count` bits, which must have been filled in.
    #[inline(always)]
    pub(super) fn skip(self, count: u32) -> Self {
        Self { buffer: self.buffer << count, count: self.count.wrapping_sub(count), ..self }
    }

    /// Have at least 56 bits to peek at.
    #[inline(always)]
    pub(super) fn fill(self, beyond: &mut Beyond) -> Self {
        if let Some(chunk) = self.data.get(self.position..).and_then(|rest| rest.first_chunk()) {
            let word = u64::from_be_bytes(*chunk);
            // As many whole bytes as there is room for. Bits of one more get in, and once again later.
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
        let (position, buffer, count) = fill_slowly(self.data, self.position, self.buffer, self.count, beyond);
        Self { position, buffer, count, ..self }
    }

    /// Have more bits been used than there are?
    pub(super) fn is_beyond(self, beyond: &Beyond) -> bool {
        beyond.given > u64::from(self.count) + beyond.allowed
    }

    /// Check that the data end here, up to a marker or for good. Returns where.
    pub(super) fn finish(self, mut beyond: Beyond) -> Result<usize, JpegError> {
        let (position, buffer, count) = fill_slowly(self.data, self.position, self.buffer, self.count, &mut beyond);
        let filled = Self { position, buffer, count, ..self };
        if filled.is_beyond(&beyond) {
            return Err(JpegError::MissingData);
        }
        // Up to seven bits pad the last byte (F.1.2.3). They should be ones, but not all encoders care.
        let left = u64::from(count).saturating_sub(beyond.given) / 8;
        let more = match (self.data.get(position), self.data.get(position + 1)) {
            (None, _) | (Some(&MARKER), None) => false,
            (Some(&MARKER), Some(&next)) => next == 0,
            _ => true,
        };
        if more || left > SLACK { Err(JpegError::ExcessData) } else { Ok(position) }
    }

    /// Go on behind the restart marker with this number, which must be next.
    pub(super) fn restart(self, number: usize, beyond: &mut Beyond) -> Result<Self, JpegError> {
        let position = self.finish(*beyond)?;
        *beyond = Beyond::new(beyond.allowed);
        match self.data.get(position + 1) {
            Some(&marker) if usize::from(marker) == usize::from(RST0) + number % 8 => {
                Ok(Self { position: position + 2, ..Self::new(self.data) })
            }
            _ => Err(JpegError::InvalidRestart),
        }
    }
}

/// [`Bits::fill`] byte by byte: there is a byte FF among the next, or an end. The fields are arguments of their own
/// since a reference to them would keep them in memory.
#[cold]
#[inline(never)]
fn fill_slowly(
    data: &[u8],
    mut position: usize,
    mut buffer: u64,
    mut count: u32,
    beyond: &mut Beyond,
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
                // Without the bits of the marker.
                buffer &= !(u64::MAX >> count);
                let room = (63 - count) & !7;
                count += room;
                beyond.given += u64::from(room);
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

/// Is any of the bytes in the first `bits` of this word FF? At most 63 bits.
#[inline(always)]
fn has_marker_byte(word: u64, bits: u32) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // A byte whose highest bit stays set is FF, or follows (towards higher bits) an FF in the word.
    let found = (!word).wrapping_sub(ONES) & word & (ONES << 7);
    found & !(u64::MAX >> bits) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_ff_is_found_where_it_is_asked_for() {
        for place in 0..7 {
            let word = 0x7E7E_7E7E_7E7E_7E7E_u64 | 0xFF << (56 - 8 * place);
            for bits in 0..7 {
                assert_eq!(has_marker_byte(word, 8 * bits), bits > place, "{word:x}, {bits} bytes");
            }
        }
        assert!((0..0xFF_u8).all(|byte| !has_marker_byte(u64::from_be_bytes([byte; 8]), 56)));
    }

    #[test]
    fn bits_are_the_same_however_many_are_taken_at_once() {
        let bytes: Vec<u8> = (0..200_u8).map(|i| if i % 23 == 0 { MARKER } else { i }).collect();
        let data: Vec<u8> =
            bytes.iter().flat_map(|byte| if *byte == MARKER { vec![MARKER, 0] } else { vec![*byte] }).collect();
        let expected: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
        for step in 1..=56 {
            let (mut bits, mut beyond, mut text) = (Bits::new(&data), Beyond::new(0), String::new());
            while text.len() < expected.len() {
                bits = bits.fill(&mut beyond);
                for _ in 0..step {
                    text += if bits.peek::<1>() == 1 { "1" } else { "0" };
                    bits = bits.skip(1);
                }
            }
            text.truncate(expected.len());
            assert_eq!(text, expected, "in steps of {step}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_standard() {
        // From table F.1: by size, the first and the last of each half.
        for (byte, size, number) in
            [(0, 0, 0), (0xFF, 0, 0), (0, 1, -1), (0x80, 1, 1), (0, 3, -7), (0x60, 3, -4), (0x80, 3, 4), (0xE0, 3, 7)]
        {
            let data = [0xA5, byte];
            let bits = Bits::new(&data).fill(&mut Beyond::new(0));
            assert_eq!(bits.number(8, size), number, "{byte:02x}, {size} bits");
        }
    }

    #[test]
    fn data_that_are_over_are_noticed() {
        let read = |data: &[u8], spare, count| {
            let (mut bits, mut beyond) = (Bits::new(data), Beyond::new(spare));
            for _ in 0..count {
                bits = bits.fill(&mut beyond).skip(1);
            }
            bits.finish(beyond)
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
    fn a_few_bytes_left_are_tolerated_and_more_are_not() {
        for length in 0..40 {
            let left = Bits::new(&vec![0x55; length]).finish(Beyond::new(0));
            assert_eq!(left.is_ok(), length as u64 <= SLACK, "{length}");
        }
    }
}
