//! Extracts images from a driver's buffers, and rejects buffers without one.

use std::sync::{Arc, Mutex};

use super::negotiate::{JPEG_FORMATS, NegotiatedMode, raw_format};
use crate::frame::JpegImage;
use crate::frame_sampling::FrameSampling;
use crate::image_checker::ImageChecker;
use crate::jpeg::{self, FoundImage, JpegError, Options};
use crate::orientation::Orientation;
use crate::raw::{BufferLayout, Layout, MAX_PLANES, PixelFormat, Range, ShortBuffer};
use crate::rectangle::Rectangle;
use crate::source::{ImageData, RawImage};

/// Extracts the images of an open camera from its buffers.
pub(super) enum ImageExtractor {
    Jpeg(Box<JpegExtractor>),
    Raw { buffers: BufferLayout, crop: Option<Rectangle>, quality: u8, orientation: Orientation },
}

/// For buffers with JPEG images.
pub(super) struct JpegExtractor {
    checker: ImageChecker,
    orientation: Orientation,
}

/// Where a buffer holds an image. `None` for raw images, which fill it.
pub(super) struct CheckedBuffer(Option<FoundImage>);

/// Why a buffer holds no image.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum BufferError {
    #[error("it is empty")]
    Empty,
    #[error(transparent)]
    InvalidJpeg(#[from] JpegError),
    #[error(transparent)]
    Short(#[from] ShortBuffer),
}

impl ImageExtractor {
    /// Creates the extractor for a mode, or returns `None` if its format is not supported. `quality`, from 1 to 100, is
    /// for encoding raw images. Raw images are cropped to `crop`, whose left and top must be even. Images are marked with
    /// `orientation`.
    pub(super) fn new(
        negotiated: &NegotiatedMode,
        quality: u8,
        allow_truncated: bool,
        crop: Option<Rectangle>,
        orientation: Orientation,
        sampling: Arc<Mutex<FrameSampling>>,
    ) -> Option<Self> {
        let format = negotiated.format;
        if JPEG_FORMATS.contains(&format.code) {
            let checker = ImageChecker::new(Options { allow_truncated }, sampling);
            return Some(Self::Jpeg(Box::new(JpegExtractor { checker, orientation })));
        }
        let range = if format.full_range { Range::Full } else { Range::Limited };
        let pixel_format = raw_format(format.code)?;
        let layout = Layout { format: pixel_format, dimensions: format.dimensions, stride: format.strides[0], range };
        let buffers = match PixelFormat::from_multi_planar_code(format.code.0) {
            Some(_) => BufferLayout::separate(layout, format.strides),
            None => BufferLayout::contiguous(layout),
        };
        Some(Self::Raw { buffers, crop, quality, orientation })
    }

    /// The quality with which the images will be encoded, or `None` for JPEG.
    pub(super) fn quality(&self) -> Option<u8> {
        match self {
            Self::Jpeg(_) => None,
            Self::Raw { quality, .. } => Some(*quality),
        }
    }

    /// Checks that the planes of a buffer hold an image. Costs only a search for its end.
    pub(super) fn check(&self, planes: [&[u8]; MAX_PLANES]) -> Result<CheckedBuffer, BufferError> {
        match self {
            _ if planes[0].is_empty() => Err(BufferError::Empty),
            Self::Jpeg(extractor) => {
                let found = jpeg::find_first(planes[0], extractor.checker.options())?;
                Ok(CheckedBuffer(Some(found)))
            }
            Self::Raw { buffers, .. } => {
                buffers.check(planes)?;
                Ok(CheckedBuffer(None))
            }
        }
    }

    /// Copies the image out of the planes of a buffer for which `check` returned `checked`. This is the only copy of a
    /// frame's bytes.
    pub(super) fn copy(&self, planes: [&[u8]; MAX_PLANES], checked: CheckedBuffer) -> Result<ImageData, BufferError> {
        match self {
            Self::Jpeg(extractor) => {
                let options = extractor.checker.options();
                let (image, info) = match checked {
                    CheckedBuffer(Some(first)) => jpeg::find_last(planes[0], options, first),
                    CheckedBuffer(None) => jpeg::find_image(planes[0], options)?,
                };
                Ok(ImageData::Jpeg(JpegImage::copy(image, &info, extractor.orientation)?))
            }
            Self::Raw { buffers, crop, quality, orientation } => {
                let (bytes, layout) = buffers.copy(planes, *crop)?;
                let (quality, orientation) = (*quality, *orientation);
                Ok(ImageData::Raw(RawImage { bytes, layout, quality, orientation }))
            }
        }
    }

    /// Checks the entropy-coded data of a JPEG image if the camera's [`FrameSampling`] selects it.
    pub(super) fn check_data(&mut self, data: &ImageData) -> Result<(), BufferError> {
        let (Self::Jpeg(extractor), ImageData::Jpeg(image)) = (self, data) else { return Ok(()) };
        Ok(extractor.checker.check_data(image)?)
    }

    /// Records that a buffer held no image.
    pub(super) fn note_damage(&mut self) {
        if let Self::Jpeg(extractor) = self {
            extractor.checker.note_damage();
        }
    }
}
