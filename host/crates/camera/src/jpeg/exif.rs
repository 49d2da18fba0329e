//! The EXIF segment that tells decoders how to turn an image (EXIF 2.32, section 4.5: APP1 with a TIFF header).

use std::ops::Range;

use memchr::memmem;

use super::markers::{APP1, MARKER};
use super::validate::{ImageInfo, Options, validate};
use crate::orientation::Orientation;

/// The start of the content of an EXIF segment.
const IDENTIFIER: &[u8; 6] = b"Exif\0\0";

/// The tag that says how to turn an image.
const ORIENTATION: u16 = 274;

/// The length of an entry of a directory: tag and type (2 each), number of values and value (4 each).
const ENTRY_LENGTH: usize = 12;

/// The length of the segment that [`exif_segment`] returns, with its marker.
pub(super) const EXIF_LENGTH: usize = 36;

/// Returns a segment with nothing but the orientation.
pub(super) fn exif_segment(orientation: Orientation) -> [u8; EXIF_LENGTH] {
    #[rustfmt::skip]
    let segment = [
        MARKER, APP1, 0, EXIF_LENGTH as u8 - 2,
        b'E', b'x', b'i', b'f', 0, 0,
        // TIFF header: big-endian; the first directory follows at offset 8.
        b'M', b'M', 0, 42, 0, 0, 0, 8,
        // A directory with one entry.
        0, 1,
        // The tag Orientation (274), of type SHORT (3), with one value, which is padded to four bytes.
        1, 18, 0, 3, 0, 0, 0, 1, 0, orientation.exif_value(), 0, 0,
        // There is no further directory.
        0, 0, 0, 0,
    ];
    segment
}

/// Returns how decoders turn an image, if its EXIF data say so.
pub fn orientation(bytes: &[u8]) -> Option<Orientation> {
    let info = validate(bytes, Options::default()).ok()?;
    let segment = bytes.get(exif_segments(bytes, &info).next()?)?;
    let tiff = segment.get(memmem::find(segment, IDENTIFIER)? + IDENTIFIER.len()..)?;
    let is_big_endian = tiff.starts_with(b"MM");
    let word = |at: usize| {
        let bytes = tiff.get(at..)?.first_chunk()?;
        Some(if is_big_endian { u16::from_be_bytes(*bytes) } else { u16::from_le_bytes(*bytes) })
    };
    let directory = {
        let bytes = tiff.get(4..)?.first_chunk()?;
        let offset = if is_big_endian { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) };
        usize::try_from(offset).ok()?
    };
    let entries = (0..usize::from(word(directory)?)).map(|index| directory + 2 + index * ENTRY_LENGTH);
    let orientation =
        entries.take_while(|at| at + ENTRY_LENGTH <= tiff.len()).find(|at| word(*at) == Some(ORIENTATION));
    Orientation::from_exif_value(word(orientation? + 8)?)
}

/// Finds the EXIF segments before the first scan of an image that was validated.
pub(super) fn exif_segments(bytes: &[u8], info: &ImageInfo) -> impl Iterator<Item = Range<usize>> {
    let mut position = 2;
    let end = info.headers.data_offset;
    std::iter::from_fn(move || {
        while position < end {
            let start = position;
            // Any number of fill bytes may precede a marker (B.1.1.2).
            while *bytes.get(position + 1)? == MARKER {
                position += 1;
            }
            let marker = *bytes.get(position + 1)?;
            if marker == super::markers::TEM {
                position += 2;
                continue;
            }
            let length = usize::from(u16::from_be_bytes([*bytes.get(position + 2)?, *bytes.get(position + 3)?]));
            let content = bytes.get(position + 4..)?;
            position += 2 + length.max(2);
            if marker == APP1 && length >= 2 + IDENTIFIER.len() && content.starts_with(IDENTIFIER) {
                return Some(start..position);
            }
        }
        None
    })
}
