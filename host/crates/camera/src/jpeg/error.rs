//! Why bytes are not a complete, undamaged JPEG image.

/// Why bytes are not a complete, undamaged JPEG image.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JpegError {
    /// There are no bytes (a driver's buffer with `bytesused` 0).
    #[error("it is empty")]
    Empty,
    /// It does not start with a start-of-image marker, so it has another format.
    #[error("it does not start like a JPEG (FF D8)")]
    MissingSoi,
    /// It is shorter than [`MIN_LENGTH`](super::MIN_LENGTH).
    #[error("it is too short to be an image")]
    TooShort,
    /// It ends before its first scan.
    #[error("it is cut off in its headers")]
    TruncatedHeaders,
    /// A segment of its headers is malformed.
    #[error("its headers are malformed")]
    InvalidHeaders,
    /// Its scan uses a Huffman table that is missing and has no standard definition.
    #[error("it lacks a Huffman table")]
    MissingHuffmanTable,
    /// It does not end with an end-of-image marker: the rest was lost.
    #[error("it is cut off: the end marker (FF D9) is missing")]
    MissingEoi,
    /// Its scan contains a code that is not in its Huffman tables, a block of more than 64 coefficients, or a block
    /// that is brighter or darker than possible.
    #[error("it is damaged: its data are invalid")]
    InvalidData,
    /// Its data end before the last block of the picture.
    #[error("it is damaged: part of the picture is missing")]
    MissingData,
    /// Data remain after the last block of the picture.
    #[error("it is damaged: it has more data than the picture needs")]
    ExcessData,
    /// A restart marker is missing or has the wrong number.
    #[error("it is damaged: a restart marker is missing or out of order")]
    InvalidRestart,
}
