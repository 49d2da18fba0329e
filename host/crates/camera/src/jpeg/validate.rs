//! Checks the structure of an image: its headers, and where it ends.

use memchr::memmem;

use super::error::JpegError;
use super::headers::{self, Headers};
use super::markers::{EOI, MARKER, SOI, TEM};
use crate::dimensions::Dimensions;

/// The length in bytes of the shortest image that a camera can send: start marker (2), one quantization table (69),
/// frame header (13) and scan header (10) for one component, one byte of data, and end marker (2). Huffman tables may
/// be omitted.
pub const MIN_LENGTH: usize = 97;

/// The length in bytes of the end marker.
const EOI_LENGTH: usize = 2;

/// What to tolerate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// Accepts an image without an end marker, which a few cameras never send. [`ImageInfo::lacks_end`] reports it, and
    /// [`copy_complete`](super::copy_complete) adds it. An image truncated by a lost packet looks the same, so only
    /// [`ScanChecker`](super::ScanChecker) can reject it then.
    pub allow_truncated: bool,
}

/// What [`validate`] found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ImageInfo {
    /// The length of the image in bytes, without padding after its end.
    pub length: usize,
    /// The size of the picture.
    pub dimensions: Dimensions,
    /// Whether the scan needs standard Huffman tables that the image omits, as Motion JPEG allows.
    pub lacks_tables: bool,
    /// Whether the end marker is missing, which only [`Options::allow_truncated`] tolerates.
    pub lacks_end: bool,
    /// What the headers say.
    pub headers: Headers,
}

impl ImageInfo {
    /// Whether the first `length` bytes can be sent to a viewer as they are.
    pub fn is_complete(&self) -> bool {
        !self.lacks_tables && !self.lacks_end
    }
}

/// Checks that `bytes` start with one complete JPEG image.
///
/// Parses a few hundred bytes of headers and searches the rest for the end marker at memory speed. Does not check the
/// entropy-coded data; see [`ScanChecker`](super::ScanChecker).
///
/// Ignores whatever follows the end marker: drivers pad buffers with zeros, leave the tail of an older and longer image
/// there (with its own end marker), and phones append their own data.
pub fn validate(bytes: &[u8], options: Options) -> Result<ImageInfo, JpegError> {
    if bytes.is_empty() {
        return Err(JpegError::Empty);
    }
    if !bytes.starts_with(&[MARKER, SOI]) {
        return Err(JpegError::MissingSoi);
    }
    // The end marker may be missing.
    if bytes.len() + EOI_LENGTH < MIN_LENGTH {
        return Err(JpegError::TooShort);
    }
    let headers = headers::parse(bytes)?;
    let data = bytes.get(headers.data_offset..).unwrap_or_default();
    let (data_length, lacks_end) = match find_end(data, headers.single_scan) {
        Some(length) => (length, false),
        None if options.allow_truncated => (length_without_zeros(data), true),
        None => return Err(JpegError::MissingEoi),
    };
    let length = headers.data_offset + data_length;
    // Padding does not count towards the length.
    if length + if lacks_end { EOI_LENGTH } else { 0 } < MIN_LENGTH {
        return Err(JpegError::TooShort);
    }
    Ok(ImageInfo { length, dimensions: headers.dimensions, lacks_tables: headers.lacks_tables, lacks_end, headers })
}

/// Returns how many bytes after the first scan header belong to the image, including the end marker.
fn find_end(data: &[u8], single_scan: bool) -> Option<usize> {
    let end = &[MARKER, EOI];
    if single_scan {
        // Entropy-coded data cannot contain the bytes of a marker (B.1.1.5).
        return memmem::find(data, end).map(|found| found + end.len());
    }
    if let Some(end) = find_end_of_scans(data) {
        return Some(end);
    }
    // A segment between two scans is malformed. A decoder may still cope if the image ends with an end marker.
    let length = data.len() - trailing_zeros(data);
    data.get(..length).is_some_and(|data| data.ends_with(end)).then_some(length)
}

/// Returns where the last of several scans ends, including the end marker. Skips the segments between scans (B.2),
/// where the bytes of an end marker mean nothing.
fn find_end_of_scans(data: &[u8]) -> Option<usize> {
    let mut position = 0;
    loop {
        // Fill bytes, stuffed bytes and restart markers belong to the scan.
        position += memchr::memchr(MARKER, data.get(position..)?)?;
        match *data.get(position + 1)? {
            MARKER => position += 1,
            0x00 | 0xD0..=0xD7 => position += 2,
            EOI => return Some(position + EOI_LENGTH),
            SOI | TEM => return None,
            // A segment. The bytes after it are treated as scan data even if another segment follows; only a malformed
            // image has anything but a marker there.
            _ => {
                let length = u16::from_be_bytes([*data.get(position + 2)?, *data.get(position + 3)?]);
                position += 2 + usize::from(length).max(2);
            }
        }
    }
}

/// Returns the length of `data` without trailing zeros, but keeps FF 00, which is a byte of data (B.1.1.5).
fn length_without_zeros(data: &[u8]) -> usize {
    let length = data.len() - trailing_zeros(data);
    let is_stuffed = length < data.len() && data.get(..length).is_some_and(|data| data.ends_with(&[MARKER]));
    length + usize::from(is_stuffed)
}

fn trailing_zeros(data: &[u8]) -> usize {
    data.iter().rev().take_while(|byte| **byte == 0).count()
}
