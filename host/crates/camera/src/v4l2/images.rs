//! What makes an image of a buffer's bytes, and which bytes make none.

use std::sync::{Arc, Mutex, PoisonError};

use super::negotiate::{Agreement, JPEG_FORMATS};
use super::scrutiny::Scrutiny;
use crate::frame::JpegImage;
use crate::jpeg::{self, JpegError, Options, ScanChecker};
use crate::raw::{Layout, PixelFormat, Range};
use crate::source::{ImageData, RawImage};

/// What the images of one opening of a camera are.
pub(super) enum Images {
    Jpeg(Box<JpegImages>),
    Raw { layout: Layout, quality: u8 },
}

/// Buffers that hold JPEG images.
#[derive(Default)]
pub(super) struct JpegImages {
    options: Options,
    checker: ScanChecker,
    /// The camera's, which outlasts this opening of it.
    scrutiny: Arc<Mutex<Scrutiny>>,
}

/// Why a buffer holds no image.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum NoImage {
    #[error("it is empty")]
    Empty,
    #[error(transparent)]
    InvalidJpeg(#[from] JpegError),
    #[error("it has {found} bytes of {whole}")]
    Short { found: usize, whole: usize },
}

impl Images {
    /// Those that a device agreed to; none if they can't be served. `quality` is from 1 to 100.
    pub(super) fn new(
        agreement: &Agreement,
        quality: u8,
        allow_truncated: bool,
        scrutiny: Arc<Mutex<Scrutiny>>,
    ) -> Option<Self> {
        let format = agreement.format;
        if JPEG_FORMATS.contains(&format.code) {
            let options = Options { allow_truncated };
            return Some(Self::Jpeg(Box::new(JpegImages { options, scrutiny, ..JpegImages::default() })));
        }
        let range = if format.full_range { Range::Full } else { Range::Limited };
        PixelFormat::from_code(format.code.0).map(|code| Self::Raw {
            layout: Layout { format: code, dimensions: format.dimensions, stride: format.stride, range },
            quality,
        })
    }

    /// How good the pictures will be; none where they come as they are.
    pub(super) fn quality(&self) -> Option<u8> {
        match self {
            Self::Jpeg(_) => None,
            Self::Raw { quality, .. } => Some(*quality),
        }
    }

    /// Whether a buffer looks like an image from outside, which costs no more than finding its end.
    pub(super) fn look(&self, bytes: &[u8]) -> Result<(), NoImage> {
        match self {
            _ if bytes.is_empty() => Err(NoImage::Empty),
            Self::Jpeg(images) => Ok(jpeg::check_image(bytes, images.options)?),
            Self::Raw { layout, .. } => pixels(bytes, layout).map(drop),
        }
    }

    /// Copy an image out of its buffer: the one copy of a frame's bytes.
    pub(super) fn copy(&self, bytes: &[u8]) -> Result<ImageData, NoImage> {
        match self {
            Self::Jpeg(images) => {
                let (image, whole) = jpeg::find_image(bytes, images.options)?;
                Ok(ImageData::Jpeg(JpegImage::new(jpeg::copy_complete(image, &whole))?))
            }
            Self::Raw { layout, quality } => {
                let pixels = pixels(bytes, layout)?;
                Ok(ImageData::Raw(RawImage { bytes: pixels.to_vec(), layout: *layout, quality: *quality }))
            }
        }
    }

    /// Look into the middle of an image, as often as the camera deserves.
    pub(super) fn scrutinise(&mut self, content: &ImageData) -> Result<(), NoImage> {
        let (Self::Jpeg(images), ImageData::Jpeg(picture)) = (self, content) else { return Ok(()) };
        let JpegImages { checker, scrutiny, .. } = &mut **images;
        let mut scrutiny = scrutiny.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(scrutiny.apply(|| {
            let whole = jpeg::validate(&picture.bytes, Options::default())?;
            checker.check(&picture.bytes, &whole)
        })?)
    }

    /// A buffer held no image.
    pub(super) fn note_damage(&mut self) {
        if let Self::Jpeg(images) = self {
            images.scrutiny.lock().unwrap_or_else(PoisonError::into_inner).note_damage();
        }
    }
}

/// The bytes of a raw image, without what may be behind them in its buffer.
fn pixels<'a>(bytes: &'a [u8], layout: &Layout) -> Result<&'a [u8], NoImage> {
    let whole = layout.frame_length();
    bytes.get(..whole).ok_or(NoImage::Short { found: bytes.len(), whole })
}
