//! Is this a whole JPEG image, and how large is its picture?
//!
//! Cheap webcams send truncated, empty and mislabelled buffers. A viewer must never see one, and decoding
//! every frame to find out would cost more than all the rest of the server. So the structure is checked:
//! the segments from the start of the image to the first scan are walked, and its end is looked at.
//! (ITU-T T.81, annex B.)

use super::dimensions::Dimensions;

/// What [`examine`] found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Whole {
    /// The image's length in bytes, without padding after its end.
    pub length: usize,
    /// The size of its picture.
    pub dimensions: Dimensions,
}

/// Why bytes are not a whole JPEG image.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotJpeg {
    /// There are no bytes at all (a driver's buffer with `bytesused` 0).
    #[error("it is empty")]
    Empty,
    /// It does not begin with a start-of-image marker: some other format.
    #[error("it does not begin as a JPEG does (FF D8)")]
    NoStart,
    /// It ends before its first scan.
    #[error("it is cut off in its headers")]
    CutInHeaders,
    /// A segment of its headers is malformed.
    #[error("its headers are malformed")]
    BadHeaders,
    /// It does not end with an end-of-image marker: the rest of it was lost.
    #[error("it is cut off: there is no end marker (FF D9)")]
    NoEnd,
}

const MARKER: u8 = 0xFF;
const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DHT: u8 = 0xC4;
const JPG: u8 = 0xC8;
const DAC: u8 = 0xCC;
const TEM: u8 = 0x01;

/// Check that `bytes` are one whole JPEG image, perhaps with zero bytes after it.
///
/// Costs a few hundred bytes of reading and does not depend on the image's length.
pub fn examine(bytes: &[u8]) -> Result<Whole, NotJpeg> {
    if bytes.is_empty() {
        return Err(NotJpeg::Empty);
    }
    if !bytes.starts_with(&[MARKER, SOI]) {
        return Err(NotJpeg::NoStart);
    }
    let (dimensions, scan) = walk_headers(bytes)?;
    let padding = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let image = bytes.len().checked_sub(padding).and_then(|length| bytes.get(..length)).unwrap_or_default();
    // The end marker must lie behind the scan's header, not be a part of it.
    if image.len() < scan.saturating_add(2) || !image.ends_with(&[MARKER, EOI]) {
        return Err(NotJpeg::NoEnd);
    }
    Ok(Whole { length: image.len(), dimensions })
}

/// Walk the segments up to the first scan. Returns the picture's size and where the scan's data begin.
fn walk_headers(bytes: &[u8]) -> Result<(Dimensions, usize), NotJpeg> {
    let at = |index: usize| bytes.get(index).copied().ok_or(NotJpeg::CutInHeaders);
    let word = |index: usize| Ok::<usize, NotJpeg>(usize::from(at(index)?) << 8 | usize::from(at(index + 1)?));
    let mut dimensions = None;
    let mut position = 2;
    loop {
        if at(position)? != MARKER {
            return Err(NotJpeg::BadHeaders);
        }
        // Any number of fill bytes may precede a marker (B.1.1.2).
        while at(position + 1)? == MARKER {
            position += 1;
        }
        let marker = at(position + 1)?;
        let segment = position + 2;
        match marker {
            // Markers that stand alone: there is nothing between the start and the first scan but TEM.
            TEM => {
                position = segment;
                continue;
            }
            0x00 | 0xD0..=0xD7 | SOI | EOI => return Err(NotJpeg::BadHeaders),
            _ => {}
        }
        let length = word(segment)?;
        if length < 2 {
            return Err(NotJpeg::BadHeaders);
        }
        let next = segment + length;
        match marker {
            // Start of frame, of any process: length, precision, then height and width (B.2.2).
            0xC0..=0xCF if !matches!(marker, DHT | JPG | DAC) => {
                let size = Dimensions { height: word(segment + 3)? as u32, width: word(segment + 5)? as u32 };
                // A height of 0 means that it follows the first scan (DNL), which no camera does.
                if length < 8 || size.width == 0 || size.height == 0 {
                    return Err(NotJpeg::BadHeaders);
                }
                dimensions = Some(size);
            }
            SOS => {
                at(next)?;
                return dimensions.map(|size| (size, next)).ok_or(NotJpeg::BadHeaders);
            }
            _ => {}
        }
        position = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: &[u8] = include_bytes!("../../../frames/1.jpg");

    #[test]
    fn a_whole_image_is_measured() {
        let found = examine(PICTURE).unwrap();
        assert_eq!(found.length, PICTURE.len());
        assert_eq!(found.dimensions, Dimensions { width: 640, height: 480 });
    }

    #[test]
    fn padding_after_the_end_is_not_part_of_the_image() {
        let mut padded = PICTURE.to_vec();
        padded.extend([0; 100]);
        assert_eq!(examine(&padded).unwrap().length, PICTURE.len());
    }

    #[test]
    fn an_image_cut_anywhere_is_refused() {
        for length in 0..PICTURE.len() {
            assert!(examine(&PICTURE[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn other_formats_are_refused() {
        assert_eq!(examine(b""), Err(NotJpeg::Empty));
        assert_eq!(examine(b"\x89PNG\r\n\x1a\n"), Err(NotJpeg::NoStart));
        assert_eq!(examine(&[0; 64]), Err(NotJpeg::NoStart));
        assert_eq!(examine(b"\xFF\xD8\xFF\xD9"), Err(NotJpeg::BadHeaders));
    }

    #[test]
    fn an_end_marker_inside_the_headers_does_not_count() {
        let scan = PICTURE.windows(2).position(|pair| pair == [MARKER, SOS]).unwrap();
        let mut headers_only = PICTURE[..scan].to_vec();
        headers_only.extend([MARKER, EOI]);
        assert!(examine(&headers_only).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic() {
        // Every byte of the headers replaced by the values that mean something to the walk.
        let scan = PICTURE.windows(2).position(|pair| pair == [MARKER, SOS]).unwrap() + 20;
        for index in 0..scan {
            for value in [0x00, 0x01, 0x02, 0x7F, 0xC0, 0xD8, 0xD9, 0xDA, 0xFF] {
                let mut mutated = PICTURE.to_vec();
                mutated[index] = value;
                let _ = examine(&mutated);
                let _ = examine(&mutated[..scan]);
            }
        }
    }
}
