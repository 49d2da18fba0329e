//! Why pictures cannot be decoded, held or encoded.

use crate::camera::jpeg::JpegError;
use crate::camera::pixels::{DecodeError, PictureError};

/// Why a picture cannot be decoded, held or encoded.
#[derive(Debug, thiserror::Error)]
pub enum PixelsError {
    /// The image cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The picture cannot be made, changed or encoded.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The bytes are not a whole image.
    #[error("not a JPEG image: {0}")]
    Adopt(#[from] JpegError),
    /// The instance holds as many pictures as it may.
    #[error("an instance may hold {0} pictures")]
    TooMany(u32),
    /// The instance, or all together, would hold more bytes than permitted.
    #[error("pictures and images of guests take too much memory")]
    Memory,
    /// The thread that did the work panicked, or the server is shutting down.
    #[error("decoding or encoding failed; please report this")]
    Failed,
}
