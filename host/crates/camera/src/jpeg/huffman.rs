//! Huffman tables (annex C, F.2.2.3) built to skip coefficients instead of decoding them.

use super::error::JpegError;

/// The index width of the AC lookup table. A wider index resolves more coefficients per lookup, until the tables no
/// longer fit in the processor's L1 cache.
pub(super) const AC_INDEX_BITS: u32 = 12;

/// The index width of the DC lookup table.
const DC_INDEX_BITS: u32 = 9;

/// The largest size of a DC difference in 8-bit images (F.1.2.1.1).
const DC_MAX_SIZE: u8 = 11;

/// The most bits that a DC coefficient takes: code and value.
pub(super) const DC_MAX_BITS: u32 = 16 + DC_MAX_SIZE as u32;

/// The most bits that an [`AcEntry`] covers.
pub(super) const AC_MAX_BITS: u32 = AC_INDEX_BITS + 15;

/// Added to the advance of an entry that includes an end-of-block code.
const END_OF_BLOCK: usize = 128;

/// A Huffman code.
#[derive(Clone)]
struct HuffmanCode {
    /// For each length from 1: the smallest 16-bit value that does not start with a code of at most this length.
    limits: [u32; 16],
    /// For each length: what to add to a code to get the index of its symbol.
    offsets: [i32; 16],
    symbols: Vec<u8>,
}

impl HuffmanCode {
    /// Builds the code from the definition of a table (C.2).
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

    /// Returns the length and the symbol of the code at the start of these 16 bits.
    fn decode(&self, bits: usize) -> Option<(u32, u8)> {
        let bits = bits as u32;
        let length = self.limits.iter().position(|limit| bits < *limit)?;
        let offset = self.offsets.get(length)?;
        let code = (bits >> (15 - length)) as i32;
        let index = usize::try_from(offset + code).ok()?;
        Some((length as u32 + 1, *self.symbols.get(index)?))
    }
}

/// A table for DC coefficients.
#[derive(Clone)]
pub(super) struct DcTable {
    code: HuffmanCode,
    /// The length of the code and the size of the value after it. Length 0 means that the code is longer than the
    /// index, or invalid.
    entries: [(u8, u8); 1 << DC_INDEX_BITS],
}

impl DcTable {
    /// Builds the table from its definition.
    pub(super) fn new(definition: &[u8]) -> Result<Self, JpegError> {
        let mut table = Self { code: HuffmanCode::new(definition)?, entries: [(0, 0); 1 << DC_INDEX_BITS] };
        for (index, entry) in table.entries.iter_mut().enumerate() {
            if let Some((length, size)) = table.code.decode(index << (16 - DC_INDEX_BITS))
                && length <= DC_INDEX_BITS
                && size <= DC_MAX_SIZE
            {
                *entry = (length as u8, size);
            }
        }
        Ok(table)
    }

    /// Returns the length of the code at the start of these 16 bits and the size of the value after it, together at
    /// most [`DC_MAX_BITS`].
    #[inline(always)]
    pub(super) fn look_up(&self, bits: usize) -> Result<(u32, u32), JpegError> {
        match self.entries.get(bits >> (16 - DC_INDEX_BITS)) {
            Some(&(length, size)) if length != 0 => Ok((u32::from(length), u32::from(size))),
            _ => self.decode(bits),
        }
    }

    #[cold]
    fn decode(&self, bits: usize) -> Result<(u32, u32), JpegError> {
        match self.code.decode(bits) {
            Some((length, size)) if size <= DC_MAX_SIZE => Ok((length, u32::from(size))),
            _ => Err(JpegError::InvalidData),
        }
    }
}

/// One or more AC coefficients: how many bits they take, and how far they advance the index in the block.
#[derive(Clone, Copy)]
pub(super) struct AcEntry(u16);

impl AcEntry {
    /// Advances past any block without ending one, so the caller falls back to [`AcTable::decode`].
    const UNRESOLVED: Self = Self(64 << 5);

    fn new(bits: u32, advance: usize) -> Self {
        Self((advance << 5) as u16 | bits as u16)
    }

    /// The number of bits to consume, at most [`AC_MAX_BITS`].
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

/// Whether an index below 64, advanced by an entry, is at the end of the block. If it is neither that nor below 64, the
/// entry does not fit into the block.
#[inline(always)]
pub(super) fn ends_block(index: usize) -> bool {
    index == 64 || (END_OF_BLOCK..END_OF_BLOCK + 64).contains(&index)
}

/// A table for AC coefficients.
#[derive(Clone)]
pub(super) struct AcTable {
    code: HuffmanCode,
    entries: [AcEntry; 1 << AC_INDEX_BITS],
}

impl AcTable {
    /// Builds the table from its definition.
    pub(super) fn new(definition: &[u8]) -> Result<Self, JpegError> {
        let code = HuffmanCode::new(definition)?;
        let mut single = [None; 1 << AC_INDEX_BITS];
        for (index, entry) in single.iter_mut().enumerate() {
            *entry = code.decode(index << (16 - AC_INDEX_BITS)).filter(|(length, _)| *length <= AC_INDEX_BITS);
        }
        let mut entries = [AcEntry::UNRESOLVED; 1 << AC_INDEX_BITS];
        for (index, entry) in entries.iter_mut().enumerate() {
            *entry = combine(&single, index);
        }
        Ok(Self { code, entries })
    }

    /// Returns the coefficients at the start of these [`AC_INDEX_BITS`] bits.
    #[inline(always)]
    pub(super) fn look_up(&self, bits: usize) -> AcEntry {
        self.entries.get(bits).copied().unwrap_or(AcEntry::UNRESOLVED)
    }

    /// Returns only the first coefficient at the start of these 16 bits: its bits, at most 31, and its advance.
    #[cold]
    pub(super) fn decode(&self, bits: usize) -> Result<(u32, usize), JpegError> {
        let (length, symbol) = self.code.decode(bits).ok_or(JpegError::InvalidData)?;
        let (size, advance) = size_and_advance(symbol).ok_or(JpegError::InvalidData)?;
        Ok((length + size, advance))
    }
}

/// Splits a symbol into the size of its coefficient and the advance in the block (F.1.2.2).
fn size_and_advance(symbol: u8) -> Option<(u32, usize)> {
    match (symbol >> 4, symbol & 15) {
        (0, 0) => Some((0, END_OF_BLOCK)),
        // ZRL: sixteen zeros.
        (15, 0) => Some((0, 16)),
        (_, 0) => None,
        (run, size) => Some((u32::from(size), usize::from(run) + 1)),
    }
}

/// Combines all coefficients whose codes are within the bits of `index`, up to an end of block.
fn combine(single: &[Option<(u32, u8)>; 1 << AC_INDEX_BITS], index: usize) -> AcEntry {
    let (mut bits, mut sum) = (0, 0);
    while bits < AC_INDEX_BITS && sum < END_OF_BLOCK {
        let rest = index << bits & ((1 << AC_INDEX_BITS) - 1);
        let Some((length, symbol)) = single.get(rest).copied().flatten() else { break };
        let Some((size, advance)) = size_and_advance(symbol) else { break };
        // More than 63 coefficients would not fit into any block.
        if bits + length > AC_INDEX_BITS || (sum + advance) % END_OF_BLOCK > 63 {
            break;
        }
        bits += length + size;
        sum += advance;
    }
    if sum == 0 { AcEntry::UNRESOLVED } else { AcEntry::new(bits, sum) }
}

#[cfg(test)]
mod tests {
    use super::super::standard_tables::STANDARD_TABLES;
    use super::*;

    #[test]
    fn standard_codes_are_decoded() {
        // From tables K.3 and K.5.
        let dc = DcTable::new(STANDARD_TABLES[0][0]).unwrap();
        assert_eq!(dc.look_up(0b00 << 14), Ok((2, 0)));
        assert_eq!(dc.look_up(0b110 << 13), Ok((3, 5)));
        assert_eq!(dc.look_up(0b1_1111_1110 << 7), Ok((9, 11)));
        assert_eq!(dc.look_up(0xFFFF), Err(JpegError::InvalidData));
        let ac = AcTable::new(STANDARD_TABLES[1][0]).unwrap();
        assert_eq!(ac.decode(0b1010 << 12), Ok((4, END_OF_BLOCK)));
        assert_eq!(ac.decode(0b111_1111_1001 << 5), Ok((11, 16)));
        assert_eq!(ac.decode(0b1111_1111_1111_1110), Ok((16 + 10, 16)));
        assert_eq!(ac.decode(0xFFFF), Err(JpegError::InvalidData));
    }

    #[test]
    fn combined_coefficients_equal_those_decoded_one_by_one() {
        for definition in STANDARD_TABLES[1] {
            let table = AcTable::new(definition).unwrap();
            for index in 0..1 << AC_INDEX_BITS {
                let entry = table.look_up(index);
                let (mut bits, mut advance) = (0, 0);
                while bits < entry.bits() {
                    let next = table.decode((index << (16 - AC_INDEX_BITS)) << bits & 0xFFFF).unwrap();
                    bits += next.0;
                    advance += next.1;
                }
                if entry.bits() > 0 {
                    assert_eq!((entry.bits(), entry.advance()), (bits, advance), "{index:012b}");
                    assert!(bits <= AC_INDEX_BITS + 15);
                }
            }
        }
    }

    #[test]
    fn invalid_tables_are_rejected() {
        // Three codes of one bit.
        let mut definition = [0; 19];
        definition[0] = 3;
        assert_eq!(DcTable::new(&definition).err(), Some(JpegError::InvalidHeaders));
        assert_eq!(AcTable::new(&definition[..5]).err(), Some(JpegError::InvalidHeaders));
    }
}
