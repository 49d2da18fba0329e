//! Decodes an image at full size, with zune-jpeg.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::error::DecodeError;
use super::format::Format;
use super::picture::Picture;
use crate::dimensions::Dimensions;

/// The most scans of a progressive image. Encoders use about ten; each further one costs a pass over all pixels.
const MAX_SCANS: usize = 32;

/// The longest side of a JPEG (ITU-T T.81, B.2.2). The number of pixels is limited elsewhere.
const MAX_SIDE: usize = 65_535;

/// An image whose headers are decoded.
pub(super) struct FullImage<'a> {
    decoder: JpegDecoder<ZCursor<&'a [u8]>>,
    is_grey: bool,
    has_luma: bool,
}

impl<'a> FullImage<'a> {
    /// Decodes the headers of an image.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let options =
            DecoderOptions::new_fast().set_max_width(MAX_SIDE).set_max_height(MAX_SIDE).jpeg_set_max_scans(MAX_SCANS);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(|error| undecodable(&error))?;
        let space = decoder.input_colorspace();
        let is_grey = space == Some(ColorSpace::Luma);
        Ok(Self { decoder, is_grey, has_luma: is_grey || space == Some(ColorSpace::YCbCr) })
    }

    /// Whether the components are luma, or luma, Cb and Cr, as in images of every camera.
    pub(super) fn has_luma(&self) -> bool {
        self.has_luma
    }

    /// Decodes the image, which has one scan or several. Where it is damaged, the result may have wrong pixels.
    pub(super) fn decode(
        mut self,
        size: Dimensions,
        format: Format,
        is_single_scan: bool,
    ) -> Result<Picture, DecodeError> {
        if !self.has_luma && format != Format::Rgb {
            return Err(DecodeError::Undecodable("it is not coded as luma and chroma; decode it as RGB".to_owned()));
        }
        // The library does not convert grey to Y, Cb and Cr.
        let adds_chroma = self.is_grey && format == Format::Yuv;
        // Of progressive images with half the chroma rows and all columns (4:4:0), the library decodes only half the rows
        // of luma, but all rows of all components.
        let removes_chroma = format == Format::Luma && !self.is_grey && !is_single_scan;
        let space = match format {
            _ if adds_chroma => ColorSpace::Luma,
            _ if removes_chroma => ColorSpace::YCbCr,
            Format::Luma => ColorSpace::Luma,
            Format::Rgb => ColorSpace::RGB,
            Format::Yuv => ColorSpace::YCbCr,
        };
        self.decoder.set_options(self.decoder.options().jpeg_set_out_colorspace(space));
        let pixels = self.decoder.decode().map_err(|error| undecodable(&error))?;
        let pixels = if adds_chroma {
            pixels.into_iter().flat_map(|luma| [luma, 128, 128]).collect()
        } else if removes_chroma {
            pixels.into_iter().step_by(Format::Yuv.bytes()).collect()
        } else {
            pixels
        };
        if pixels.len() != size.width as usize * size.height as usize * format.bytes() {
            return Err(DecodeError::Undecodable("its size is unclear".to_owned()));
        }
        Ok(Picture::from_pixels(size, format, pixels))
    }
}

/// The library's messages span several lines.
fn undecodable(error: &impl std::fmt::Debug) -> DecodeError {
    let text = format!("{error:?}");
    DecodeError::Undecodable(text.split_whitespace().collect::<Vec<_>>().join(" "))
}
