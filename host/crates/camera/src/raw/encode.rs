//! Raw frames into JPEG images.

use super::jfif::number_components;
use super::layout::Layout;
use super::levels::Levels;
use super::rows::Frame;
use crate::dimensions::Dimensions;
use bytes::Bytes;
use jpeg_encoder::SamplingFactor;

/// Why a raw frame could not become a JPEG.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The picture has no pixels, or more on a side than a JPEG can hold (ITU-T T.81, B.2.2: 16 bits).
    #[error("a JPEG of {0} pixels is impossible, each side takes 1 to 65535")]
    Dimensions(Dimensions),
    /// The quality is not within 1 to 100.
    #[error("JPEG quality {0} is not within 1 to 100")]
    Quality(u8),
    /// The frame has fewer bytes than its layout needs; cameras deliver such frames when data is lost on the bus.
    #[error("the frame has {actual} bytes instead of {needed}")]
    Short {
        /// [`Layout::frame_length`].
        needed: usize,
        /// Bytes that the frame has.
        actual: usize,
    },
    /// The JPEG encoder failed, which no valid layout should cause.
    #[error("the JPEG encoder failed")]
    Jpeg(#[source] jpeg_encoder::EncodingError),
}

/// Turns raw frames of one layout into JPEG images.
///
/// It keeps tables and the output buffer from frame to frame, so use one for as long as the layout stays the same.
#[derive(Debug)]
pub struct Encoder {
    layout: Layout,
    width: u16,
    height: u16,
    quality: u8,
    levels: Levels,
    /// The last image: the next one will be about as large, and so will seldom need more memory.
    image: Vec<u8>,
}

impl Encoder {
    /// An encoder for frames that lie as `layout` says.
    ///
    /// `quality` is 1 (smallest images) to 100 (best) and scales the quantisation tables of ITU-T T.81, annex K, in the
    /// way of libjpeg.
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
        Ok(Self { layout, width, height, quality, levels: Levels::new(layout.range), image: Vec::new() })
    }

    /// Encodes a frame as a baseline JPEG (JFIF, ITU-T T.871): 4:2:0, or a single component for grey.
    ///
    /// Bytes beyond [`Layout::frame_length`] are ignored, since V4L2 buffers may be larger than a frame.
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
        let frame = Frame::new(raw, &self.layout, &self.levels, self.width, self.height);
        encoder.encode_image(frame).map_err(EncodeError::Jpeg)?;
        number_components(&mut self.image);
        // The image may be kept for long and by many: a copy takes just the memory it needs.
        Ok(Bytes::copy_from_slice(&self.image))
    }
}
