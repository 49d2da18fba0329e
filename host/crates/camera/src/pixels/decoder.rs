//! Chooses how to decode an image.

use super::eighth;
use super::error::DecodeError;
use super::format::Format;
use super::full::FullImage;
use super::limits::{MAX_MULTI_SCAN_PIXELS, MAX_PIXELS, MAX_PIXELS_PER_BYTE};
use super::picture::Picture;
use super::scale::Scale;
use super::shrink::shrink;
use super::turn::turn;
use crate::frame::JpegImage;
use crate::jpeg::{self, ImageInfo, Options, ScanChecker};

/// The most components of an image (ITU-T T.81, B.2.3).
const MAX_COMPONENTS: usize = 4;

/// The most pixels of a side of an MCU: blocks of 8 pixels, up to four of them (ITU-T T.81, A.2.2 and B.2.2).
const MAX_MCU_SIDE: usize = 32;

/// The most memory of the library for rows in progress, for each pixel of the width, in bytes: coefficients and samples of
/// one row of MCUs, before and after the chroma is enlarged.
const ROW_BYTES: usize = 512;

/// Decodes images. Keeps the Huffman tables from one image to the next.
#[derive(Default)]
pub struct Decoder {
    checker: ScanChecker,
}

impl Decoder {
    /// Checks the size and the coding of an image before anything is allocated for its pixels, as
    /// [`decode`](Self::decode) does first.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooLarge`], [`DecodeError::TooShort`] and [`DecodeError::Undecodable`].
    pub fn check_size(image: &JpegImage) -> Result<(), DecodeError> {
        Self::check(image).map(drop)
    }

    fn check(image: &JpegImage) -> Result<ImageInfo, DecodeError> {
        let size = image.dimensions;
        let pixels = size.pixels() as u64;
        if pixels > MAX_PIXELS {
            return Err(DecodeError::TooLarge { size, limit: MAX_PIXELS });
        }
        if pixels > (image.bytes.len() as u64).saturating_mul(MAX_PIXELS_PER_BYTE) {
            return Err(DecodeError::TooShort(size));
        }
        let info = jpeg::validate(&image.bytes, Options::default())?;
        if !info.headers.single_scan && pixels > MAX_MULTI_SCAN_PIXELS {
            return Err(DecodeError::TooLarge { size, limit: MAX_MULTI_SCAN_PIXELS });
        }
        // The library loses restart markers and, of narrow images, rows.
        if info.headers.sequential && !info.headers.single_scan {
            return Err(DecodeError::Undecodable("it is not progressive but has several scans".to_owned()));
        }
        Ok(info)
    }

    /// Returns the most memory that [`decode`](Self::decode) needs for this image while it works, in bytes, with that of
    /// the picture.
    ///
    /// # Errors
    ///
    /// Those of [`check_size`](Self::check_size).
    pub fn memory_needed(image: &JpegImage, scale: Scale, format: Format) -> Result<usize, DecodeError> {
        let info = Self::check(image)?;
        let (width, height) = (image.dimensions.width as usize, image.dimensions.height as usize);
        let pixels = image.dimensions.pixels();
        let padded = width.next_multiple_of(MAX_MCU_SIDE) * height.next_multiple_of(MAX_MCU_SIDE);
        let coefficients = if info.headers.single_scan { 0 } else { padded * MAX_COMPONENTS * size_of::<i16>() };
        let decoded = if Self::uses_means(image, scale, &info)? {
            padded.div_ceil(64) * MAX_COMPONENTS
        } else {
            // Grey is decoded to luma before chroma is added. Of several scans, chroma is decoded before it is removed.
            let other = match format {
                Format::Yuv => pixels,
                Format::Luma if !info.headers.single_scan => pixels * Format::Yuv.bytes(),
                Format::Luma | Format::Rgb => 0,
            };
            let full = if scale == Scale::Full { 0 } else { pixels * format.bytes() };
            full + other + width * ROW_BYTES
        };
        let picture = scale.apply(image.dimensions).pixels() * format.bytes();
        let is_turned = jpeg::orientation(&image.bytes).is_some_and(|orientation| !orientation.is_upright());
        Ok(picture * if is_turned { 2 } else { 1 } + decoded + coefficients)
    }

    /// Whether the picture is made of the means of blocks.
    fn uses_means(image: &JpegImage, scale: Scale, info: &ImageInfo) -> Result<bool, DecodeError> {
        let is_possible = scale == Scale::Eighth && info.headers.single_scan;
        Ok(is_possible && FullImage::new(&image.bytes)?.has_luma())
    }

    /// Decodes an image, and turns it as its EXIF data ask for. So pixels are where viewers see them.
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
        let info = Self::check(image)?;
        let picture = if Self::uses_means(image, scale, &info)? {
            eighth::decode(&mut self.checker, &image.bytes, &info, format)?
        } else {
            shrink(FullImage::new(&image.bytes)?.decode(image.dimensions, format, info.headers.single_scan)?, scale)
        };
        Ok(turn(picture, jpeg::orientation(&image.bytes).unwrap_or_default()))
    }
}
