//! Copies an image and adds what the camera omitted.

use bytes::Bytes;

use super::markers::{DHT, EOI, MARKER};
use super::standard_tables::STANDARD_TABLES;
use super::validate::ImageInfo;

/// The length field of a segment with all four standard tables: the field itself, and a selector byte before each
/// table.
const SEGMENT_LENGTH: u16 = 2 + 2 * (1 + 28 + 1 + 178);

/// Copies the image that [`validate`](super::validate()) found in `bytes`, without padding. Adds the standard Huffman
/// tables (K.3) and the end marker if they are missing, so the result is complete.
///
/// Allocates once, with the exact size.
pub fn copy_complete(bytes: &[u8], info: &ImageInfo) -> Bytes {
    let image = bytes.get(..info.length).unwrap_or(bytes);
    let added_tables = if info.lacks_tables { 2 + usize::from(SEGMENT_LENGTH) } else { 0 };
    let added_end = if info.lacks_end { 2 } else { 0 };
    let mut copy = Vec::with_capacity(image.len() + added_tables + added_end);
    if info.lacks_tables
        && let Some((before, after)) = image.split_at_checked(info.headers.tables_offset)
    {
        copy.extend_from_slice(before);
        extend_with_tables(&mut copy);
        copy.extend_from_slice(after);
    } else {
        copy.extend_from_slice(image);
    }
    if info.lacks_end {
        copy.extend_from_slice(&[MARKER, EOI]);
    }
    Bytes::from(copy)
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
