//! Encodes raw frames as JPEG images.

use super::conversion::RangeTables;
use super::encoder_input::EncoderInput;
use super::jfif::set_component_ids;
use super::layout::Layout;
use crate::dimensions::Dimensions;
use bytes::Bytes;
use jpeg_encoder::SamplingFactor;

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
    /// The JPEG encoder failed. This is a bug: no valid layout should cause it.
    #[error("the JPEG encoder failed")]
    Jpeg(#[source] jpeg_encoder::EncodingError),
}

/// Encodes raw frames of one layout as JPEG images.
///
/// Reuses its tables and its output buffer, so keep it for as long as the layout stays the same.
#[derive(Debug)]
pub struct Encoder {
    layout: Layout,
    width: u16,
    height: u16,
    quality: u8,
    tables: RangeTables,
    /// The output buffer. Images have similar sizes, so it seldom grows.
    image: Vec<u8>,
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
        Ok(Self { layout, width, height, quality, tables: RangeTables::new(layout.range), image: Vec::new() })
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
        self.image.clear();
        let mut encoder = jpeg_encoder::Encoder::new(&mut self.image, self.quality);
        encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
        let frame = EncoderInput::new(raw, &self.layout, &self.tables, self.width, self.height);
        encoder.encode_image(frame).map_err(EncodeError::Jpeg)?;
        set_component_ids(&mut self.image);
        // The image may live long, so the copy takes no more memory than needed.
        Ok(Bytes::copy_from_slice(&self.image))
    }
}
