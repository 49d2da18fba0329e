//! Huffman tables (annex C, F.2.2.3) made to skip coefficients rather than to decode them.

use super::JpegError;

/// How many bits the table of AC coefficients is indexed by: more resolve more of them at once, until the tables
/// fill the processor's first cache.
pub(super) const AC_BITS: u32 = 12;

/// How many bits the table of DC coefficients is indexed by.
const DC_BITS: u32 = 9;

/// The most bits that a DC coefficient takes. Differences of more than 11 bits do not occur in pictures of 8 bit
/// (F.1.2.1.1).
pub(super) const DC_MOST: u32 = 16 + DC_LARGEST as u32;

const DC_LARGEST: u8 = 11;

/// The most bits that an [`Entry`] takes.
pub(super) const AC_MOST: u32 = AC_BITS + 15;

/// Added to the advance of an entry that ends with an end of block.
const END_OF_BLOCK: usize = 128;

/// A Huffman code.
#[derive(Clone)]
struct Code {
    /// For each length from 1: the first 16 bits that are not of a code this long or shorter.
    limits: [u32; 16],
    /// For each length: what to add to a code to have the index of its symbol.
    offsets: [i32; 16],
    symbols: Vec<u8>,
}

impl Code {
    /// The code that a table's definition describes (C.2).
    fn new(definition: &[u8]) -> Result<Self, JpegError> {
        let (counts, symbols) = definition.split_first_chunk::<16>().ok_or(JpegError::InvalidHeaders)?;
        let (mut limits, mut offsets) = ([0; 16], [0; 16]);
        let (mut code, mut index) = (0_u32, 0_i32);
        for ((length, count), (limit, offset)) in (1..).zip(counts).zip(limits.iter_mut().zip(&mut offsets)) {
            code <<= 1;
            *offset = index - code as i32;
            code += u32::from(*count);
            index += i32::from(*count);
            if code > 1 << length {
                return Err(JpegError::InvalidHeaders);
            }
            *limit = code << (16 - length);
        }
        Ok(Self { limits, offsets, symbols: symbols.to_vec() })
    }

    /// The length and the symbol of the code that these 16 bits begin with.
    fn decode(&self, bits: usize) -> Option<(u32, u8)> {
        let bits = bits as u32;
        let length = self.limits.iter().position(|limit| bits < *limit)?;
        let offset = self.offsets.get(length)?;
        let code = (bits >> (15 - length)) as i32;
        let index = usize::try_from(offset + code).ok()?;
        Some((length as u32 + 1, *self.symbols.get(index)?))
    }
}

/// The code of the DC coefficients of some components.
#[derive(Clone)]
pub(super) struct DcTable {
    code: Code,
    /// The length of the code and the size of the number after it. A length of 0: see the code.
    entries: [(u8, u8); 1 << DC_BITS],
}

impl DcTable {
    pub(super) fn new(definition: &[u8]) -> Result<Self, JpegError> {
        let mut table = Self { code: Code::new(definition)?, entries: [(0, 0); 1 << DC_BITS] };
        for (index, entry) in table.entries.iter_mut().enumerate() {
            if let Some((length, size)) = table.code.decode(index << (16 - DC_BITS))
                && length <= DC_BITS
                && size <= DC_LARGEST
            {
                *entry = (length as u8, size);
            }
        }
        Ok(table)
    }

    /// The length of the code that these 16 bits begin with, and the size of the number after it. Together they are
    /// at most [`DC_MOST`].
    #[inline(always)]
    pub(super) fn look_up(&self, bits: usize) -> Result<(u32, u32), JpegError> {
        match self.entries.get(bits >> (16 - DC_BITS)) {
            Some(&(length, size)) if length != 0 => Ok((u32::from(length), u32::from(size))),
            _ => self.decode(bits),
        }
    }

    #[cold]
    fn decode(&self, bits: usize) -> Result<(u32, u32), JpegError> {
        match self.code.decode(bits) {
            Some((length, size)) if size <= DC_LARGEST => Ok((length, u32::from(size))),
            _ => Err(JpegError::InvalidData),
        }
    }
}

/// One or more AC coefficients: how many bits they take, and by how much they advance the index in the block.
#[derive(Clone, Copy)]
pub(super) struct Entry(u16);

impl Entry {
    /// Too far for any block, but not as if it ended one: see the code.
    const NONE: Self = Self(64 << 5);

    fn new(bits: u32, advance: usize) -> Self {
        Self((advance << 5) as u16 | bits as u16)
    }

    /// How many bits to skip: at most [`AC_MOST`].
    #[inline(always)]
    pub(super) fn bits(self) -> u32 {
        u32::from(self.0 & 31)
    }

    /// What to add to the index of the next coefficient. See [`ends_block`].
    #[inline(always)]
    pub(super) fn advance(self) -> usize {
        usize::from(self.0 >> 5)
    }
}

/// Is this sum of an index below 64 and an entry's advance the end of the block? If it is not below 64 either, the
/// entry does not fit.
#[inline(always)]
pub(super) fn ends_block(index: usize) -> bool {
    index == 64 || (END_OF_BLOCK..END_OF_BLOCK + 64).contains(&index)
}

/// The code of the AC coefficients of some components.
#[derive(Clone)]
pub(super) struct AcTable {
    code: Code,
    entries: [Entry; 1 << AC_BITS],
}

impl AcTable {
    pub(super) fn new(definition: &[u8]) -> Result<Self, JpegError> {
        let code = Code::new(definition)?;
        let mut single = [None; 1 << AC_BITS];
        for (index, entry) in single.iter_mut().enumerate() {
            *entry = code.decode(index << (16 - AC_BITS)).filter(|(length, _)| *length <= AC_BITS);
        }
        let mut entries = [Entry::NONE; 1 << AC_BITS];
        for (index, entry) in entries.iter_mut().enumerate() {
            *entry = combine(&single, index);
        }
        Ok(Self { code, entries })
    }

    /// The coefficients that these bits begin with.
    #[inline(always)]
    pub(super) fn look_up(&self, bits: usize) -> Entry {
        self.entries.get(bits).copied().unwrap_or(Entry::NONE)
    }

    /// Only the first of the coefficients that these 16 bits begin: its bits, at most 31, and the advance.
    #[cold]
    pub(super) fn decode(&self, bits: usize) -> Result<(u32, usize), JpegError> {
        let (length, symbol) = self.code.decode(bits).ok_or(JpegError::InvalidData)?;
        let (size, advance) = meaning(symbol).ok_or(JpegError::InvalidData)?;
        Ok((length + size, advance))
    }
}

/// The size of the coefficient that a symbol announces, and its advance (F.1.2.2).
fn meaning(symbol: u8) -> Option<(u32, usize)> {
    match (symbol >> 4, symbol & 15) {
        (0, 0) => Some((0, END_OF_BLOCK)),
        // Sixteen zeros.
        (15, 0) => Some((0, 16)),
        (_, 0) => None,
        (run, size) => Some((u32::from(size), usize::from(run) + 1)),
    }
}

/// As many coefficients as have their codes in the bits of `index`, up to an end of block.
fn combine(single: &[Option<(u32, u8)>; 1 << AC_BITS], index: usize) -> Entry {
    let (mut bits, mut sum) = (0, 0);
    while bits < AC_BITS && sum < END_OF_BLOCK {
        let rest = index << bits & ((1 << AC_BITS) - 1);
        let Some((length, symbol)) = single.get(rest).copied().flatten() else { break };
        let Some((size, advance)) = meaning(symbol) else { break };
        // More than fits would not fit any block.
        if bits + length > AC_BITS || (sum + advance) % END_OF_BLOCK > 63 {
            break;
        }
        bits += length + size;
        sum += advance;
    }
    if sum == 0 { Entry::NONE } else { Entry::new(bits, sum) }
}

#[cfg(test)]
mod tests {
    use super::super::tables::STANDARD;
    use super::*;

    #[test]
    fn the_codes_of_the_standard_are_read() {
        // From tables K.3 and K.5.
        let dc = DcTable::new(STANDARD[0][0]).unwrap();
        assert_eq!(dc.look_up(0b00 << 14), Ok((2, 0)));
        assert_eq!(dc.look_up(0b110 << 13), Ok((3, 5)));
        assert_eq!(dc.look_up(0b1_1111_1110 << 7), Ok((9, 11)));
        assert_eq!(dc.look_up(0xFFFF), Err(JpegError::InvalidData));
        let ac = AcTable::new(STANDARD[1][0]).unwrap();
        assert_eq!(ac.decode(0b1010 << 12), Ok((4, END_OF_BLOCK)));
        assert_eq!(ac.decode(0b111_1111_1001 << 5), Ok((11, 16)));
        assert_eq!(ac.decode(0b1111_1111_1111_1110), Ok((16 + 10, 16)));
        assert_eq!(ac.decode(0xFFFF), Err(JpegError::InvalidData));
    }

    #[test]
    fn several_coefficients_at_once_are_the_same_as_one_by_one() {
        for definition in STANDARD[1] {
            let table = AcTable::new(definition).unwrap();
            for index in 0..1 << AC_BITS {
                let entry = table.look_up(index);
                let (mut bits, mut advance) = (0, 0);
                while bits < entry.bits() {
                    let next = table.decode((index << (16 - AC_BITS)) << bits & 0xFFFF).unwrap();
                    bits += next.0;
                    advance += next.1;
                }
                if entry.bits() > 0 {
                    assert_eq!((entry.bits(), entry.advance()), (bits, advance), "{index:012b}");
                    assert!(bits <= AC_BITS + 15);
                }
            }
        }
    }

    #[test]
    fn a_code_with_too_many_codes_is_refused() {
        let mut definition = [0; 19];
        definition[0] = 3;
        assert_eq!(DcTable::new(&definition).err(), Some(JpegError::InvalidHeaders));
        assert_eq!(AcTable::new(&definition[..5]).err(), Some(JpegError::InvalidHeaders));
    }
}
