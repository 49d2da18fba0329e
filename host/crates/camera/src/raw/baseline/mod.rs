//! An encoder for baseline JPEG images (ITU-T T.81) with 4:2:0 chroma, or with luma alone.

mod bit_writer;
mod codes;
mod dct;
mod headers;
mod quantizer;
mod scan;
mod zigzag;

use codes::Codes;
use quantizer::Quantizer;
pub(super) use quantizer::Stretch;
use scan::Component;
pub(super) use scan::ScanWriter;
use wide::i16x8;

/// Eight rows of eight samples from 0 to 255.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Block(pub(super) [i16x8; 8]);

/// A minimum coded unit: 16 by 16 pixels.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mcu {
    /// The upper left, upper right, lower left and lower right block.
    pub(super) luma: [Block; 4],
    pub(super) blue: Block,
    pub(super) red: Block,
}

/// What an image consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Components {
    Colour,
    Grey,
}

/// The tables for the images of an encoder.
#[derive(Debug)]
pub(super) struct Tables {
    components: Components,
    luma: Component,
    chroma: Component,
}

impl Tables {
    /// Tables for a quality from 1 to 100, and for samples that are stretched to full range.
    pub(super) fn new(components: Components, quality: u8, luma: Stretch, chroma: Stretch) -> Self {
        let luma = Component { quantizer: Quantizer::luminance(quality, luma), codes: Codes::luminance() };
        let chroma = Component { quantizer: Quantizer::chrominance(quality, chroma), codes: Codes::chrominance() };
        Self { components, luma, chroma }
    }

    /// Returns everything before the entropy-coded data.
    ///
    /// With a restart interval other than 0, a restart marker must follow each interval of so many MCUs but the last.
    pub(super) fn headers(&self, size: [u16; 2], restart_interval: u16) -> Vec<u8> {
        headers::headers(size, self.components, &self.luma, &self.chroma, restart_interval)
    }

    /// Starts the entropy-coded data of a scan or a restart interval, in a buffer whose memory is reused.
    pub(super) fn scan(&self, buffer: Vec<u8>) -> ScanWriter<'_> {
        ScanWriter::new(&self.luma, &self.chroma, buffer)
    }
}
