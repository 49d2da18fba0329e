//! What the images of an encoder have in common.

use super::codes::Codes;
use super::headers::{Components, headers};
use super::quantizer::{Quantizer, Stretch};
use super::scan::{Component, ScanWriter};

/// The tables for the images of an encoder.
#[derive(Debug)]
pub(in crate::raw) struct Tables {
    components: Components,
    luma: Component,
    chroma: Component,
}

impl Tables {
    /// Tables for a quality from 1 to 100, and for samples that are stretched to full range.
    pub(in crate::raw) fn new(components: Components, quality: u8, luma: Stretch, chroma: Stretch) -> Self {
        let luma = Component { quantizer: Quantizer::luminance(quality, luma), codes: Codes::luminance() };
        let chroma = Component { quantizer: Quantizer::chrominance(quality, chroma), codes: Codes::chrominance() };
        Self { components, luma, chroma }
    }

    /// Returns everything before the entropy-coded data.
    ///
    /// With a restart interval other than 0, a restart marker must follow each interval of so many MCUs but the last.
    pub(in crate::raw) fn headers(&self, size: [u16; 2], restart_interval: u16) -> Vec<u8> {
        headers(size, self.components, &self.luma, &self.chroma, restart_interval)
    }

    /// Starts the entropy-coded data of a scan or a restart interval, in a buffer whose memory is reused.
    pub(in crate::raw) fn scan(&self, buffer: Vec<u8>) -> ScanWriter<'_> {
        ScanWriter::new(&self.luma, &self.chroma, buffer)
    }
}
