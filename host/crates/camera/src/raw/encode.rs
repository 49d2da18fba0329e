//! Encodes raw frames as JPEG images.

use super::bands::Bands;
use super::baseline::{Components, Tables};
use super::conversion::stretches;
use super::layout::{Layout, Range};
use super::mcus::{BLOCK_SIDE, MCU_SIDE, Mcus};
use crate::dimensions::Dimensions;
use crate::jpeg::markers::{EOI, MARKER, RST0};
use bytes::Bytes;
use std::ops;
use std::thread;

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

/// The name of the threads that encode all bands but the first.
const BAND_THREAD: &str = "encode-band";

/// Encodes raw frames of one layout as JPEG images.
///
/// Reuses its tables and its buffers, so keep it for as long as the layout stays the same.
#[derive(Debug)]
pub struct Encoder {
    layout: Layout,
    width: u16,
    height: u16,
    tables: Tables,
    bands: Bands,
    headers: Vec<u8>,
    /// The entropy-coded data of each band. Images have similar sizes, so they seldom grow.
    buffers: Vec<Vec<u8>>,
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
        let mut encoder = Self {
            layout,
            width,
            height,
            tables,
            bands: Bands::new(1, 1, 1),
            headers: Vec::new(),
            buffers: Vec::new(),
        };
        encoder.set_threads(1);
        Ok(encoder)
    }

    /// Encodes the following frames with up to this number of threads: the picture is divided into bands of equal height,
    /// each a restart interval. More than one thread costs more processor time, because they are started for each frame.
    pub fn set_threads(&mut self, threads: usize) {
        let [columns, rows] = [self.width, self.height].map(|side| usize::from(side).div_ceil(self.mcu_side()));
        let bands = Bands::new(rows, columns, threads);
        if bands != self.bands || self.headers.is_empty() {
            self.bands = bands;
            self.headers = self.tables.headers([self.width, self.height], bands.restart_interval);
        }
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
        let mut buffers = std::mem::take(&mut self.buffers);
        self.encode_bands(raw, &mut buffers);
        let image = self.assemble(&buffers);
        self.buffers = buffers;
        Ok(image.into())
    }

    /// Encodes the first band in this thread and each of the others in one of its own.
    fn encode_bands(&self, raw: &[u8], buffers: &mut Vec<Vec<u8>>) {
        buffers.resize_with(self.bands.ranges().count(), Vec::new);
        buffers.iter_mut().for_each(Vec::clear);
        thread::scope(|scope| {
            let mut bands = self.bands.ranges().zip(&mut *buffers);
            let own = bands.next();
            for (rows, buffer) in bands {
                let spawned = thread::Builder::new()
                    .name(BAND_THREAD.to_owned())
                    .spawn_scoped(scope, move || self.encode_band(raw, rows, buffer));
                if spawned.is_err() {
                    break;
                }
            }
            if let Some((rows, buffer)) = own {
                self.encode_band(raw, rows, buffer);
            }
        });
        // Those for which no thread could be started. The data of a band is never empty.
        let missing = self.bands.ranges().zip(buffers).filter(|(_, buffer)| buffer.is_empty());
        missing.for_each(|(rows, buffer)| self.encode_band(raw, rows, buffer));
    }

    /// Appends the entropy-coded data of these rows of MCUs to an empty buffer.
    fn encode_band(&self, raw: &[u8], rows: ops::Range<usize>, buffer: &mut Vec<u8>) {
        let mcus = Mcus::new(raw, &self.layout);
        let mut scan = self.tables.scan(std::mem::take(buffer));
        let columns = usize::from(self.width).div_ceil(self.mcu_side());
        for row in rows.map(|row| mcus.row(row * self.mcu_side())) {
            if self.layout.format.has_colour() {
                (0..columns).for_each(|column| scan.write(&row.mcu(column)));
            } else {
                (0..columns).for_each(|column| scan.write_grey(&row.grey(column)));
            }
        }
        *buffer = scan.finish();
    }

    /// Joins the parts of an image, with a restart marker between two bands.
    fn assemble(&self, bands: &[Vec<u8>]) -> Vec<u8> {
        let length = self.headers.len() + bands.iter().map(|band| band.len() + 2).sum::<usize>();
        let mut image = Vec::with_capacity(length);
        image.extend_from_slice(&self.headers);
        // They are numbered from 0 to 7 in turn.
        let mut markers = (RST0..RST0 + 8).cycle();
        for (index, band) in bands.iter().enumerate() {
            if index > 0 {
                image.push(MARKER);
                image.extend(markers.next());
            }
            image.extend_from_slice(band);
        }
        image.extend([MARKER, EOI]);
        image
    }

    /// The width and the height of an MCU. That of a grey picture is a block.
    fn mcu_side(&self) -> usize {
        if self.layout.format.has_colour() { MCU_SIDE } else { BLOCK_SIDE }
    }
}
