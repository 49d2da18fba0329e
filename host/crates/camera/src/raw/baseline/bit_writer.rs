//! Writes Huffman codes as bytes.

/// Writes bits to a scan. After each byte `FF`, it adds a zero byte (ITU-T T.81, B.1.1.5).
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// The lowest `used` bits are not yet in `bytes`. The others have no meaning.
    buffer: u64,
    /// Up to 64.
    used: u32,
}

impl BitWriter {
    /// Starts with an empty buffer, whose memory is reused.
    pub(super) fn new(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Self { bytes, buffer: 0, used: 0 }
    }

    /// Appends the lowest `length` bits of `bits`, up to 32. The others must be zero.
    #[inline(always)]
    pub(super) fn put(&mut self, bits: u32, length: u32) {
        let bits = u64::from(bits);
        let used = self.used + length;
        if used <= u64::BITS {
            self.buffer = (self.buffer << length) | bits;
            self.used = used;
        } else {
            let excess = used - u64::BITS;
            self.write((self.buffer << (length - excess)) | (bits >> excess));
            // The bits that have been written are shifted out by the next 64.
            self.buffer = bits;
            self.used = excess;
        }
    }

    /// Fills the last byte with ones (F.1.2.3) and returns the bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let padding = self.used.wrapping_neg() % 8;
        self.put((1 << padding) - 1, padding);
        let bytes = (self.used / 8) as usize;
        let last = self.buffer.checked_shl(u64::BITS - self.used).unwrap_or(0).to_be_bytes();
        last.iter().take(bytes).for_each(|&byte| self.write_byte(byte));
        self.bytes
    }

    #[inline(always)]
    fn write(&mut self, word: u64) {
        // A byte is FF if its highest bit is set and adding 1 clears it. A carry can only add such bytes.
        let may_need_zeros = word & 0x8080_8080_8080_8080 & !word.wrapping_add(0x0101_0101_0101_0101) != 0;
        if may_need_zeros {
            self.write_with_zeros(word);
        } else {
            self.bytes.extend_from_slice(&word.to_be_bytes());
        }
    }

    #[cold]
    fn write_with_zeros(&mut self, word: u64) {
        word.to_be_bytes().into_iter().for_each(|byte| self.write_byte(byte));
    }

    fn write_byte(&mut self, byte: u8) {
        self.bytes.push(byte);
        if byte == 0xFF {
            self.bytes.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BitWriter;

    fn written(codes: impl IntoIterator<Item = (u32, u32)>) -> Vec<u8> {
        let mut writer = BitWriter::new(vec![1, 2, 3]);
        codes.into_iter().for_each(|(bits, length)| writer.put(bits, length));
        writer.finish()
    }

    #[test]
    fn bits_are_written_in_order_and_the_last_byte_is_filled_with_ones() {
        assert_eq!(written([]), []);
        assert_eq!(written([(0, 1)]), [0x7F]);
        assert_eq!(written([(0b1010, 4), (0b0101, 4)]), [0b1010_0101]);
        assert_eq!(written((0..40).map(|byte| (byte, 8))), (0..40).collect::<Vec<u8>>());
        for length in 1..=32 {
            let bits =
                (0..64).flat_map(|_| (0..length).rev().map(|bit| 0x5A5A_1234_u32 >> bit & 1)).collect::<Vec<_>>();
            let value = (0x5A5A_1234_u64 & ((1 << length) - 1)) as u32;
            let bytes = written((0..64).map(|_| (value, length)));
            let expected = bits.chunks(8).map(|bits| bits.iter().fold(0, |byte, &bit| byte << 1 | bit as u8));
            assert_eq!(bytes, expected.collect::<Vec<u8>>(), "{length}");
        }
    }

    #[test]
    fn a_zero_follows_each_ff() {
        assert_eq!(written([(0xFF, 8)]), [0xFF, 0]);
        assert_eq!(written([(0b111, 3)]), [0xFF, 0]);
        let long = written((0..16).map(|_| (0xFFFE, 16)));
        assert_eq!(long, [0xFF, 0, 0xFE].repeat(16));
        assert_eq!(written((0..4).map(|_| (0xFEFF_FE00, 32))), [0xFE, 0xFF, 0, 0xFE, 0].repeat(4));
    }
}
