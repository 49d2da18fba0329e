//! The check of an image's structure: its headers, and where it ends.

use memchr::memmem;

use super::headers::{Headers, walk};
use super::{EOI, MARKER, SOI, TEM};
use crate::dimensions::Dimensions;

/// The length in bytes of the smallest possible image that a camera sends: its start marker (2), one table of
/// quantisation (69), a frame header (13) and a scan header (10) of one component, one byte of data, and its
/// end marker (2). Huffman tables may be left out.
pub const MIN_LENGTH: usize = 97;

/// The length in bytes of the end marker.
const END_LENGTH: usize = 2;

/// What a camera is allowed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// Take an image without an end marker: a few cameras never send one. [`ImageInfo::lacks_end`] tells, and
    /// [`copy_complete`](super::copy_complete) puts it in. An image cut off by a lost packet looks the same, so only
    /// [`ScanChecker`](super::ScanChecker) can refuse it then.
    pub allow_truncated: bool,
}

/// What [`validate`] found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ImageInfo {
    /// The image's length in bytes, without padding after its end.
    pub length: usize,
    /// The size of its picture.
    pub dimensions: Dimensions,
    /// Whether it needs Huffman tables that it does not have, but every decoder of Motion JPEG does.
    pub lacks_tables: bool,
    /// Whether its end marker is missing, which only [`Options::allow_truncated`] allows.
    pub lacks_end: bool,
    /// What its headers say.
    pub headers: Headers,
}

impl ImageInfo {
    /// Whether these bytes can be shown to a viewer as they are, up to `length`.
    pub fn is_complete(&self) -> bool {
        !self.lacks_tables && !self.lacks_end
    }
}

/// Why bytes are not a whole JPEG image.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JpegError {
    /// There are no bytes at all (a driver's buffer with `bytesused` 0).
    #[error("it is empty")]
    Empty,
    /// It does not begin with a start-of-image marker: some other format.
    #[error("it does not begin as a JPEG does (FF D8)")]
    MissingSoi,
    /// It is shorter than [`MIN_LENGTH`].
    #[error("it is too short to be an image")]
    TooShort,
    /// It ends before its first scan.
    #[error("it is cut off in its headers")]
    TruncatedHeaders,
    /// A segment of its headers is malformed.
    #[error("its headers are malformed")]
    InvalidHeaders,
    /// Its scan uses a Huffman table that is not there and has no standard definition.
    #[error("it lacks a Huffman table")]
    MissingHuffmanTable,
    /// It does not end with an end-of-image marker: the rest of it was lost.
    #[error("it is cut off: there is no end marker (FF D9)")]
    MissingEoi,
    /// Its scan has a code that its Huffman tables do not, a block of more than 64 coefficients, or one that is
    /// brighter or darker than any can be.
    #[error("it is damaged: its data make no sense")]
    InvalidData,
    /// Its data end before the last block of the picture.
    #[error("it is damaged: a part of the picture is missing")]
    MissingData,
    /// There are data left after the last block of the picture.
    #[error("it is damaged: there are more data than the picture needs")]
    ExcessData,
    /// A restart marker is not there, or is not the one that is due.
    #[error("it is damaged: a restart marker is missing or out of order")]
    InvalidRestart,
}

/// Check that `bytes` are one whole JPEG image, perhaps with padding after it.
///
/// Walks a few hundred bytes of headers, and searches the rest for the end marker, at the speed of memory.
///
/// What follows the end marker may be anything: some drivers fill the rest of the buffer with zeros, some leave in it what
/// an earlier and longer image left there, with its end marker at the very end, and phones append data of their own.
pub fn validate(bytes: &[u8], options: Options) -> Result<ImageInfo, JpegError> {
    if bytes.is_empty() {
        return Err(JpegError::Empty);
    }
    if !bytes.starts_with(&[MARKER, SOI]) {
        return Err(JpegError::MissingSoi);
    }
    // The two bytes of the end marker may be missing, if need be.
    if bytes.len() + END_LENGTH < MIN_LENGTH {
        return Err(JpegError::TooShort);
    }
    let headers = walk(bytes)?;
    let data = bytes.get(headers.data_at..).unwrap_or_default();
    let (data_length, lacks_end) = match find_end(data, headers.plain) {
        Some(length) => (length, false),
        None if options.allow_truncated => (without_zeros(data), true),
        None => return Err(JpegError::MissingEoi),
    };
    let length = headers.data_at + data_length;
    // Padding does not make an image longer.
    if length + if lacks_end { END_LENGTH } else { 0 } < MIN_LENGTH {
        return Err(JpegError::TooShort);
    }
    Ok(ImageInfo { length, dimensions: headers.dimensions, lacks_tables: headers.lacks_tables, lacks_end, headers })
}

/// How much of what follows the first scan's header belongs to the image, its end marker included.
fn find_end(data: &[u8], plain: bool) -> Option<usize> {
    let end = &[MARKER, EOI];
    if plain {
        // There is one scan, and data cannot contain a marker (B.1.1.5).
        return memmem::find(data, end).map(|found| found + end.len());
    }
    if let Some(end) = walk_scans(data) {
        return Some(end);
    }
    // Something between the scans is malformed. A decoder may make sense of it, if the image ends as it should.
    let length = data.len() - data.iter().rev().take_while(|byte| **byte == 0).count();
    data.get(..length).is_some_and(|data| data.ends_with(end)).then_some(length)
}

/// Where the last of several scans ends, with the end marker. What is between the scans are segments (B.2), in which the
/// bytes of an end marker mean nothing.
fn walk_scans(data: &[u8]) -> Option<usize> {
    let mut position = 0;
    loop {
        // The next marker: fill bytes, stuffed bytes and restart markers belong to the data.
        position += memchr::memchr(MARKER, data.get(position..)?)?;
        match *data.get(position + 1)? {
            MARKER => position += 1,
            0x00 | 0xD0..=0xD7 => position += 2,
            EOI => return Some(position + END_LENGTH),
            SOI | TEM => return None,
            // A segment. What follows is read as data, though it is another segment unless this one begins a scan; but
            // only a malformed image has something else than a marker there.
            _ => {
                let length = u16::from_be_bytes([*data.get(position + 2)?, *data.get(position + 3)?]);
                position += 2 + usize::from(length).max(2);
            }
        }
    }
}

/// The length of `data` without zeros after them; but FF 00 is a byte of data (B.1.1.5), and stays.
fn without_zeros(data: &[u8]) -> usize {
    let length = data.len() - data.iter().rev().take_while(|byte| **byte == 0).count();
    let stuffed = length < data.len() && data.get(..length).is_some_and(|kept| kept.ends_with(&[MARKER]));
    length + usize::from(stuffed)
}
