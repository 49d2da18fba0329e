//! Why bytes are not a multipart stream.

use super::limits::{MAX_HEAD_LENGTH, MAX_PART_LENGTH, MAX_SKIPPED};

/// Why bytes are not a multipart stream. The stream cannot be continued after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MultipartError {
    /// Too many bytes precede a delimiter.
    #[error("it has no part within {} KiB", MAX_SKIPPED >> 10)]
    NoDelimiter,
    /// The headers of a part do not end.
    #[error("the headers of a part are longer than {} KiB", MAX_HEAD_LENGTH >> 10)]
    HeadTooLong,
    /// A part does not end.
    #[error("a part is longer than {} MiB", MAX_PART_LENGTH >> 20)]
    PartTooLong,
}
