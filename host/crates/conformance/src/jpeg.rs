//! Checks the structure of a JPEG by its markers, without decoding it.

/// Returns the width and height of a complete JPEG, in pixels. The bytes must start with SOI, contain a frame header
/// and a scan, and end with EOI.
///
/// # Errors
///
/// If something is missing or follows EOI.
pub fn size(bytes: &[u8]) -> Result<(u16, u16), String> {
    let mut at = 0;
    let mut size = None;
    let mut has_scan = false;
    if pair(bytes, at) != Some((0xff, 0xd8)) {
        return Err(format!("{} bytes start with {}, not with FF D8", bytes.len(), hex(bytes.iter().take(2))));
    }
    at += 2;
    loop {
        let (first, marker) =
            pair(bytes, at).ok_or_else(|| format!("the JPEG of {} bytes has no FF D9 at its end", bytes.len()))?;
        if first != 0xff {
            return Err(format!("expected a marker at byte {at} of a JPEG, found {first:02X} {marker:02X}"));
        }
        match marker {
            // A fill byte (T.81, B.1.1.2).
            0xff => at += 1,
            0xd9 => {
                at += 2;
                break;
            }
            0xd8 => return Err(format!("a second FF D8 at byte {at} of a JPEG")),
            0x01 | 0xd0..=0xd7 => at += 2,
            _ => {
                let (high, low) = pair(bytes, at + 2).ok_or("the JPEG ends within a segment")?;
                if matches!(marker, 0xc0..=0xc3) {
                    let height = pair(bytes, at + 5).map(|(high, low)| u16::from_be_bytes([high, low]));
                    let width = pair(bytes, at + 7).map(|(high, low)| u16::from_be_bytes([high, low]));
                    size = width.zip(height);
                }
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
                if marker == 0xda {
                    has_scan = true;
                    at = end_of_scan(bytes, at);
                }
            }
        }
    }
    if at != bytes.len() {
        return Err(format!("{} bytes follow the FF D9 of a JPEG", bytes.len() - at));
    }
    if !has_scan {
        return Err("the JPEG has no scan".into());
    }
    size.ok_or_else(|| "the JPEG has no frame header".into())
}

/// Returns the position of the first marker after the entropy-coded data, which contains only stuffed zero bytes and
/// restart markers.
fn end_of_scan(bytes: &[u8], mut at: usize) -> usize {
    while let Some((first, second)) = pair(bytes, at) {
        if first == 0xff && !matches!(second, 0x00 | 0xd0..=0xd7) {
            break;
        }
        at += 1;
    }
    at
}

fn pair(bytes: &[u8], at: usize) -> Option<(u8, u8)> {
    Some((*bytes.get(at)?, *bytes.get(at + 1)?))
}

/// Formats bytes for a message.
pub(crate) fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    bytes.map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}
