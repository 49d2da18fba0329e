//! The Huffman codes of annex K.3 (ITU-T T.81), by symbol.

use crate::jpeg::standard_tables::STANDARD_TABLES;

/// A Huffman code.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Code {
    /// The code, in the lower bits.
    pub(super) bits: u16,
    /// The number of bits, up to 16. 0 if the symbol has no code.
    pub(super) length: u8,
}

/// The codes for the coefficients of a component.
#[derive(Debug)]
pub(super) struct Codes {
    dc: [Code; 256],
    ac: [Code; 256],
}

impl Codes {
    /// The codes for luma.
    pub(super) fn luminance() -> Self {
        let [[dc, _], [ac, _]] = STANDARD_TABLES;
        Self { dc: codes(dc), ac: codes(ac) }
    }

    /// The codes for chroma.
    pub(super) fn chrominance() -> Self {
        let [[_, dc], [_, ac]] = STANDARD_TABLES;
        Self { dc: codes(dc), ac: codes(ac) }
    }

    /// The code for a difference of DC coefficients with this number of bits.
    #[inline(always)]
    pub(super) fn dc(&self, size: u8) -> Code {
        self.dc.get(usize::from(size)).copied().unwrap_or_default()
    }

    /// The code for a coefficient after a run of zeros: the length of the run, up to 15, in the upper four bits, and its
    /// number of bits in the lower four.
    #[inline(always)]
    pub(super) fn ac(&self, symbol: u8) -> Code {
        self.ac.get(usize::from(symbol)).copied().unwrap_or_default()
    }
}

/// Assigns codes to the symbols of a table in the form of a DHT segment (annex C.2).
fn codes(table: &[u8]) -> [Code; 256] {
    let mut codes = [Code::default(); 256];
    let (counts, mut symbols) = table.split_at_checked(16).unwrap_or_default();
    let mut next = 0;
    for (length, &count) in (1..).zip(counts) {
        let (these, others) = symbols.split_at_checked(usize::from(count)).unwrap_or_default();
        symbols = others;
        for &symbol in these {
            if let Some(code) = codes.get_mut(usize::from(symbol)) {
                *code = Code { bits: next, length };
            }
            next += 1;
        }
        // The last code is never all ones, so this does not overflow before the last length.
        next = next.wrapping_mul(2);
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_annex_k() {
        let (luminance, chrominance) = (Codes::luminance(), Codes::chrominance());
        let code = |code: Code| (code.bits, code.length);
        assert_eq!(code(luminance.dc(0)), (0b00, 2));
        assert_eq!(code(luminance.dc(11)), (0b1_1111_1110, 9));
        assert_eq!(code(chrominance.dc(11)), (0b111_1111_1110, 11));
        assert_eq!(code(luminance.ac(0x00)), (0b1010, 4));
        assert_eq!(code(luminance.ac(0x01)), (0b00, 2));
        assert_eq!(code(luminance.ac(0xF0)), (0b111_1111_1001, 11));
        assert_eq!(code(luminance.ac(0xFA)), (0b1111_1111_1111_1110, 16));
        assert_eq!(code(chrominance.ac(0x00)), (0b00, 2));
        assert_eq!(code(chrominance.ac(0xF0)), (0b11_1111_1010, 10));
        assert_eq!(code(chrominance.ac(0xFA)), (0b1111_1111_1111_1110, 16));
        assert_eq!(luminance.ac(0x0B).length, 0);
    }
}
