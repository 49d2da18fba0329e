//! Why pixels cannot be decoded or used.

use crate::dimensions::Dimensions;
use crate::jpeg::JpegError;
use crate::raw::EncodeError;

/// Why an image cannot be decoded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It has more than [`MAX_PIXELS`](super::MAX_PIXELS), or several scans and more than
    /// [`MAX_MULTI_SCAN_PIXELS`](super::MAX_MULTI_SCAN_PIXELS).
    #[error("an image of {size} pixels is too large; the limit for its coding is {limit} in total")]
    TooLarge {
        /// What its headers say.
        size: Dimensions,
        /// The most pixels of such an image.
        limit: u64,
    },
    /// Its headers promise more pixels than its data can hold.
    #[error("the image has too few bytes for {0} pixels")]
    TooShort(Dimensions),
    /// Its data are damaged.
    #[error("the image cannot be decoded: {0}")]
    Damaged(#[from] JpegError),
    /// The library cannot decode it: it is damaged, or coded in a rare way, such as arithmetic coding.
    #[error("the image cannot be decoded: {0}")]
    Undecodable(String),
}

/// Why a picture cannot be made, changed or encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// A side is 0, or there are more than [`MAX_PIXELS`](super::MAX_PIXELS).
    #[error("a picture cannot have {0} pixels; the limit is {max} in total", max = super::MAX_PIXELS)]
    Dimensions(Dimensions),
    /// An area is empty or reaches beyond the picture.
    #[error("the area is not inside the picture of {0} pixels")]
    Area(Dimensions),
    /// The number of bytes does not match the area.
    #[error("{actual} bytes instead of {needed}")]
    Length {
        /// What the area needs.
        needed: usize,
        /// What there is.
        actual: usize,
    },
    /// The encoder refused the picture.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A bug in the encoder.
    #[error("the encoder produced an invalid image: {0}")]
    InvalidOutput(JpegError),
}
