//! Copies an image and adds what the camera omitted, and how to turn it.

use std::ops::Range;

use bytes::Bytes;

use super::exif::{EXIF_LENGTH, exif_segment, exif_segments};
use super::markers::{DHT, EOI, MARKER};
use super::standard_tables::STANDARD_TABLES;
use super::validate::ImageInfo;
use crate::orientation::Orientation;

/// The length in bytes of the start marker.
const SOI_LENGTH: usize = 2;

/// The length field of a segment with all four standard tables: the field itself, and a selector byte before each
/// table.
const SEGMENT_LENGTH: u16 = 2 + 2 * (1 + 28 + 1 + 178);

/// Copies the image that [`validate`](super::validate()) found in `bytes`, without padding. Adds the standard Huffman
/// tables (K.3) and the end marker if they are missing, so the result is complete.
///
/// Allocates once, with the exact size.
pub fn copy_complete(bytes: &[u8], info: &ImageInfo) -> Bytes {
    copy_turned(bytes, info, Orientation::default())
}

/// Like [`copy_complete`], and makes decoders turn the image: adds an EXIF segment with this orientation after the
/// start marker, in place of any others. If pictures stay as they are, leaves the image's own EXIF segments alone.
///
/// Decoders that ignore EXIF show the image as it is.
pub fn copy_turned(bytes: &[u8], info: &ImageInfo, orientation: Orientation) -> Bytes {
    let image = bytes.get(..info.length).unwrap_or(bytes);
    let is_turned = !orientation.is_upright();
    let added_exif = if is_turned { EXIF_LENGTH } else { 0 };
    let added_tables = if info.lacks_tables { 2 + usize::from(SEGMENT_LENGTH) } else { 0 };
    let added_end = if info.lacks_end { 2 } else { 0 };
    let replaced = || exif_segments(image, info).filter(|_| is_turned);
    let removed: usize = replaced().map(|segment| segment.len()).sum();
    let mut copy = Vec::with_capacity((image.len() + added_exif + added_tables + added_end).saturating_sub(removed));
    let mut parts = Parts { image, position: 0, copy: &mut copy };
    if is_turned {
        parts.copy_until(SOI_LENGTH);
        parts.copy.extend_from_slice(&exif_segment(orientation));
    }
    // Before the tables or after them, but never both: a segment is not inside another.
    let tables_offset = if info.lacks_tables { info.headers.tables_offset } else { image.len() };
    for segment in replaced().filter(|segment| segment.start < tables_offset) {
        parts.skip(segment);
    }
    if info.lacks_tables {
        parts.copy_until(tables_offset);
        extend_with_tables(parts.copy);
    }
    for segment in replaced().filter(|segment| segment.start >= tables_offset) {
        parts.skip(segment);
    }
    parts.copy_until(image.len());
    if info.lacks_end {
        copy.extend_from_slice(&[MARKER, EOI]);
    }
    Bytes::from(copy)
}

/// Copies the parts of an image in order.
struct Parts<'a> {
    image: &'a [u8],
    /// Everything before it was copied or skipped.
    position: usize,
    copy: &'a mut Vec<u8>,
}

impl Parts<'_> {
    /// Copies the bytes up to `offset`.
    fn copy_until(&mut self, offset: usize) {
        self.copy.extend_from_slice(self.image.get(self.position..offset).unwrap_or_default());
        self.position = self.position.max(offset);
    }

    /// Copies the bytes before a segment, and skips the segment.
    fn skip(&mut self, segment: Range<usize>) {
        self.copy_until(segment.start);
        self.position = self.position.max(segment.end);
    }
}

/// Appends a segment that defines the standard tables.
fn extend_with_tables(copy: &mut Vec<u8>) {
    copy.extend_from_slice(&[MARKER, DHT]);
    copy.extend_from_slice(&SEGMENT_LENGTH.to_be_bytes());
    for (class, tables) in (0_u8..).zip(STANDARD_TABLES) {
        for (number, table) in (0_u8..).zip(tables) {
            copy.push(class << 4 | number);
            copy.extend_from_slice(table);
        }
    }
}
