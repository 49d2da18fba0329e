//! Encodes raw frames as JPEG images.

use super::baseline::{Components, Tables};
use super::conversion::stretches;
use super::layout::{Layout, Range};
use super::mcus::{BLOCK_SIDE, MCU_SIDE, Mcus};
use crate::dimensions::Dimensions;
use crate::jpeg::markers::{EOI, MARKER};
use bytes::Bytes;

/// Why a raw frame cannot be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The width or the height is 0 or more than 16 bits can hold (ITU-T T.81, B.2.2).
    #[error("a JPEG cannot have {0} pixels; each side must be 1 to 65535")]
    Dimensions(Dimensions),
    /// The quality is out of range.
    #[error("JPEG quality {0} is out of range; use 1 to 100")]
    Quality(u8),
    /// The frame has fewer bytes than its layout needs, because the camera lost data on the bus.
    #[error("the frame has {actual} bytes instead of {needed}")]
    Short {
        /// [`Layout::frame_length`].
        needed: usize,
        /// The number of bytes in the frame.
        actual: usize,
    },
}

/// Encodes raw frames of one layout as JPEG images.
///
/// Reuses its tables and its output buffer, so keep it for as long as the layout stays the same.
#[derive(Debug)]
pub struct Encoder {
    layout: Layout,
    width: u16,
    height: u16,
    tables: Tables,
    headers: Vec<u8>,
    /// The entropy-coded data. Images have similar sizes, so it seldom grows.
    scan: Vec<u8>,
}

impl Encoder {
    /// Creates an encoder for frames with this layout.
    ///
    /// `quality`, from 1 (smallest images) to 100 (best), scales the quantization tables of ITU-T T.81, annex K, like
    /// libjpeg.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Dimensions`] and [`EncodeError::Quality`] for values outside their range.
    pub fn new(layout: Layout, quality: u8) -> Result<Self, EncodeError> {
        let Dimensions { width, height } = layout.dimensions;
        let (Ok(width @ 1..), Ok(height @ 1..)) = (u16::try_from(width), u16::try_from(height)) else {
            return Err(EncodeError::Dimensions(layout.dimensions));
        };
        if !(1..=100).contains(&quality) {
            return Err(EncodeError::Quality(quality));
        }
        let components = if layout.format.has_colour() { Components::Colour } else { Components::Grey };
        let range = if layout.format.is_rgb() { Range::Full } else { layout.range };
        let [luma, chroma] = stretches(range);
        let tables = Tables::new(components, quality, luma, chroma);
        let headers = tables.headers([width, height], 0);
        Ok(Self { layout, width, height, tables, headers, scan: Vec::new() })
    }

    /// Encodes a frame as a baseline JPEG (JFIF, ITU-T T.871): 4:2:0, or a single component for grey.
    ///
    /// Ignores bytes after [`Layout::frame_length`], because V4L2 buffers may be larger than a frame.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Short`] if bytes are missing.
    pub fn encode(&mut self, raw: &[u8]) -> Result<Bytes, EncodeError> {
        let needed = self.layout.frame_length();
        if raw.len() < needed {
            return Err(EncodeError::Short { needed, actual: raw.len() });
        }
        let buffer = std::mem::take(&mut self.scan);
        self.scan = self.encode_scan(raw, buffer);
        Ok([&*self.headers, &self.scan, &[MARKER, EOI]].concat().into())
    }

    /// Returns the entropy-coded data of a frame, in a buffer whose memory is reused.
    fn encode_scan(&self, raw: &[u8], buffer: Vec<u8>) -> Vec<u8> {
        let [width, height] = [self.width, self.height].map(usize::from);
        let mcus = Mcus::new(raw, &self.layout);
        let mut scan = self.tables.scan(buffer);
        if self.layout.format.has_colour() {
            for y in (0..height).step_by(MCU_SIDE) {
                let row = mcus.row(y);
                (0..width.div_ceil(MCU_SIDE)).for_each(|column| scan.write(&row.mcu(column)));
            }
        } else {
            for y in (0..height).step_by(BLOCK_SIDE) {
                let row = mcus.row(y);
                (0..width.div_ceil(BLOCK_SIDE)).for_each(|column| scan.write_grey(&row.grey(column)));
            }
        }
        scan.finish()
    }
}
