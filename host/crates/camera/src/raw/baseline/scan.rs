//! Encodes blocks as the entropy-coded data of a scan (ITU-T T.81, F.1.2).

use super::bit_writer::BitWriter;
use super::blocks::{Block, Mcu};
use super::codes::{Code, Codes};
use super::dct::coefficients;
use super::quantizer::Quantizer;
use super::zigzag::POSITIONS;

/// A run of 16 zeros.
const ZERO_RUN: u8 = 0xF0;
/// The end of a block.
const END_OF_BLOCK: u8 = 0x00;

/// The tables of a component.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) quantizer: Quantizer,
    pub(super) codes: Codes,
}

/// Writes the blocks of a scan, or of a restart interval.
#[derive(Debug)]
pub(in crate::raw) struct ScanWriter<'a> {
    luma: &'a Component,
    chroma: &'a Component,
    bits: BitWriter,
    predictions: Predictions,
}

/// The DC coefficients of the previous blocks.
#[derive(Debug, Default)]
struct Predictions {
    luma: i16,
    blue: i16,
    red: i16,
}

impl<'a> ScanWriter<'a> {
    /// Starts with an empty buffer, whose memory is reused.
    pub(super) fn new(luma: &'a Component, chroma: &'a Component, buffer: Vec<u8>) -> Self {
        Self { luma, chroma, bits: BitWriter::new(buffer), predictions: Predictions::default() }
    }

    /// Writes the luma and the chroma of 16 by 16 pixels.
    pub(in crate::raw) fn write(&mut self, mcu: &Mcu) {
        for block in &mcu.luma {
            write_block(&mut self.bits, self.luma, block, &mut self.predictions.luma);
        }
        write_block(&mut self.bits, self.chroma, &mcu.blue, &mut self.predictions.blue);
        write_block(&mut self.bits, self.chroma, &mcu.red, &mut self.predictions.red);
    }

    /// Writes a block of a grey picture.
    pub(in crate::raw) fn write_grey(&mut self, block: &Block) {
        write_block(&mut self.bits, self.luma, block, &mut self.predictions.luma);
    }

    /// Returns the data.
    pub(in crate::raw) fn finish(self) -> Vec<u8> {
        self.bits.finish()
    }
}

fn write_block(bits: &mut BitWriter, component: &Component, block: &Block, prediction: &mut i16) {
    let (values, set) = component.quantizer.quantize(coefficients(block));
    let [dc, ..] = values;
    put_value(bits, dc - *prediction, |size| component.codes.dc(size));
    *prediction = dc;

    // The first is the DC coefficient.
    let mut rest = set.0 & !1;
    let mut next = 1;
    while rest != 0 {
        let index = rest.trailing_zeros();
        let mut zeros = index - next;
        while zeros > 15 {
            put_code(bits, component.codes.ac(ZERO_RUN));
            zeros -= 16;
        }
        let position = POSITIONS.get(index as usize).copied().unwrap_or_default();
        let value = values.get(usize::from(position)).copied().unwrap_or_default();
        put_value(bits, value, |size| component.codes.ac((zeros << 4) as u8 | size));
        next = index + 1;
        rest &= rest - 1;
    }
    if next < 64 {
        put_code(bits, component.codes.ac(END_OF_BLOCK));
    }
}

/// Writes a code that depends on the number of bits of the value, and these bits (F.1.2.1.1).
#[inline(always)]
fn put_value(bits: &mut BitWriter, value: i16, code: impl Fn(u8) -> Code) {
    // The number of bits of the magnitude. The operand is never 0, which spares a test.
    let size = 31 - (u32::from(value.unsigned_abs()) << 1 | 1).leading_zeros();
    let code = code(size as u8);
    // Negative values are stored less 1, so that the first bit is 0.
    let stored = (i32::from(value) + i32::from(value >> 15)) as u32 & ((1 << size) - 1);
    bits.put(u32::from(code.bits) << size | stored, u32::from(code.length) + size);
}

#[inline(always)]
fn put_code(bits: &mut BitWriter, code: Code) {
    bits.put(u32::from(code.bits), u32::from(code.length));
}
