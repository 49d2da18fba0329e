//! Chooses how to decode an image.

use super::eighth;
use super::error::DecodeError;
use super::format::Format;
use super::full::FullImage;
use super::limits::{MAX_PIXELS, MAX_PIXELS_PER_BYTE};
use super::picture::Picture;
use super::scale::Scale;
use super::shrink::shrink;
use crate::frame::JpegImage;
use crate::jpeg::{self, Options, ScanChecker};

/// Decodes images. Keeps the Huffman tables from one image to the next.
#[derive(Default)]
pub struct Decoder {
    checker: ScanChecker,
}

impl Decoder {
    /// Checks the size of an image before anything is allocated for its pixels, as [`decode`](Self::decode) does first.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooLarge`] and [`DecodeError::TooShort`].
    pub fn check_size(image: &JpegImage) -> Result<(), DecodeError> {
        let size = image.dimensions;
        let pixels = u64::from(size.width) * u64::from(size.height);
        if pixels > MAX_PIXELS {
            return Err(DecodeError::TooLarge(size));
        }
        if pixels > (image.bytes.len() as u64).saturating_mul(MAX_PIXELS_PER_BYTE) {
            return Err(DecodeError::TooShort(size));
        }
        Ok(())
    }

    /// Decodes an image. Pixels stay where they are in the file, whatever orientation its EXIF data ask for.
    ///
    /// Each pixel of a reduced picture is the mean of a square of pixels. At the right and lower edges, a square may
    /// include pixels that the encoder has added to fill its blocks.
    ///
    /// Takes about 4 ns of processor time for each pixel of the image, and 1 ns at 1/8.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooLarge`] and [`DecodeError::TooShort`] before anything is allocated; the others for images that
    /// are damaged or coded in a rare way. A damaged image may also decode to wrong pixels.
    pub fn decode(&mut self, image: &JpegImage, scale: Scale, format: Format) -> Result<Picture, DecodeError> {
        Self::check_size(image)?;
        let full = FullImage::new(&image.bytes)?;
        if scale == Scale::Eighth && full.has_luma() {
            let info = jpeg::validate(&image.bytes, Options::default())?;
            if info.headers.single_scan {
                return Ok(eighth::decode(&mut self.checker, &image.bytes, &info, format)?);
            }
        }
        Ok(shrink(full.decode(image.dimensions, format)?, scale))
    }
}
