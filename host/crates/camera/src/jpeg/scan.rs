//! The check of an image's data: all its blocks are there, and nothing else (annex F).

use super::bits::{Beyond, Bits};
use super::headers::{Component, Definition};
use super::huffman::{AC_BITS, AC_MOST, AcTable, DC_MOST, DcTable, ends_block};
use super::tables::STANDARD;
use super::{ImageInfo, JpegError};

/// How many bytes without a meaning may stand before the end marker and before a restart marker: some encoders
/// fill a word. More would let damage pass that ends a few blocks early.
pub const SLACK: u64 = 4;

/// The largest DC coefficient that a picture of 8 bit can have is 1024, eight times its mean (A.3.3). The rest is for
/// transforms that are not exact.
const DC_RANGE: u32 = 1024 + 16;

/// Checks the data of images, and keeps their Huffman tables from one to the next: those of a camera stay the same.
#[derive(Default)]
pub struct ScanChecker {
    dc: [Slot<DcTable>; 4],
    ac: [Slot<AcTable>; 4],
}

/// A table, and the definition that it was made of.
struct Slot<T> {
    definition: Vec<u8>,
    table: Option<Box<T>>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { definition: Vec::new(), table: None }
    }
}

impl<T> Slot<T> {
    /// Have the table of this definition, made by `make` if it is another than before.
    fn prepare(&mut self, definition: &[u8], make: fn(&[u8]) -> Result<T, JpegError>) -> Result<(), JpegError> {
        if self.table.is_none() || self.definition != definition {
            self.table = None;
            self.table = Some(Box::new(make(definition)?));
            self.definition.clear();
            self.definition.extend_from_slice(definition);
        }
        Ok(())
    }
}

/// The blocks of one component in an MCU.
#[derive(Clone, Copy)]
struct Part<'a> {
    blocks: u32,
    /// The DC coefficient of the last block. Each is coded as the difference from the one before (F.1.1.5.1).
    dc_last: i32,
    /// The largest that makes sense.
    dc_limit: u32,
    dc: &'a DcTable,
    ac: &'a AcTable,
}

/// Check the data of the image that [`validate`](super::validate) found in `bytes`, with a new [`ScanChecker`].
pub fn check_scan(bytes: &[u8], whole: &ImageInfo) -> Result<(), JpegError> {
    ScanChecker::default().check(bytes, whole)
}

impl ScanChecker {
    /// Check the data of the image that [`validate`](super::validate) found in `bytes`: that they are as many blocks
    /// as the picture has, each of valid Huffman codes and of no more than 64 coefficients, none brighter than
    /// white or darker than black on the average, with the restart markers in place.
    ///
    /// What a decoder could not make sense of is found, and so is nearly all that gets lost or is overwritten. A
    /// single changed bit is found less than half the time: it may change no more than a coefficient's value.
    ///
    /// Images that are not [plain](super::Headers::plain) pass unchecked.
    ///
    /// `bytes` should be all that the camera sent: the zeros after an image without an end marker may be data.
    pub fn check(&mut self, bytes: &[u8], whole: &ImageInfo) -> Result<(), JpegError> {
        let headers = &whole.headers;
        if !headers.plain {
            return Ok(());
        }
        self.prepare(bytes, whole)?;
        let mut parts = [None; 4];
        for (part, component) in parts.iter_mut().zip(headers.components.into_iter().flatten()) {
            *part = Some(self.part(component).ok_or(JpegError::MissingHuffmanTable)?);
        }
        let end = if whole.lacks_end { whole.length } else { whole.length.saturating_sub(2) };
        let spare = if whole.lacks_end { bytes.len().saturating_sub(end) as u64 * 8 } else { 0 };
        let data = bytes.get(headers.data_at..end).unwrap_or_default();
        walk(Bits::new(data), Beyond::new(spare), &mut parts, whole)
    }

    /// Have all tables that the scan uses.
    fn prepare(&mut self, bytes: &[u8], whole: &ImageInfo) -> Result<(), JpegError> {
        let [dc_definitions, ac_definitions] = &whole.headers.tables;
        let [dc_standard, ac_standard] = &STANDARD;
        for component in whole.headers.components.iter().flatten() {
            let (dc, ac) = (usize::from(component.dc), usize::from(component.ac));
            let dc_slot = self.dc.get_mut(dc).ok_or(JpegError::MissingHuffmanTable)?;
            dc_slot.prepare(definition(bytes, dc_definitions, dc_standard, dc)?, DcTable::new)?;
            let ac_slot = self.ac.get_mut(ac).ok_or(JpegError::MissingHuffmanTable)?;
            ac_slot.prepare(definition(bytes, ac_definitions, ac_standard, ac)?, AcTable::new)?;
        }
        Ok(())
    }

    fn part(&self, component: Component) -> Option<Part<'_>> {
        let dc = self.dc.get(usize::from(component.dc))?.table.as_deref()?;
        let ac = self.ac.get(usize::from(component.ac))?.table.as_deref()?;
        let blocks = u32::from(component.horizontal) * u32::from(component.vertical);
        // Rounded up, as the encoder may have done.
        let dc_limit = DC_RANGE.checked_div(u32::from(component.dc_step)).map_or(u32::MAX, |limit| limit + 1);
        Some(Part { blocks, dc_last: 0, dc_limit, dc, ac })
    }
}

/// The bytes that define a table: the image's own, or else the standard's.
fn definition<'a>(
    bytes: &'a [u8],
    own: &[Option<Definition>; 4],
    standard: &[&'static [u8]; 2],
    number: usize,
) -> Result<&'a [u8], JpegError> {
    match own.get(number).copied().flatten() {
        Some(place) => bytes.get(place.start..place.end),
        None => standard.get(number).copied(),
    }
    .ok_or(JpegError::MissingHuffmanTable)
}

/// Walk all MCUs of the picture, from one restart marker to the next.
fn walk(
    mut bits: Bits<'_>,
    mut beyond: Beyond,
    parts: &mut [Option<Part<'_>>; 4],
    whole: &ImageInfo,
) -> Result<(), JpegError> {
    let mut left = count_mcus(parts, whole)?;
    let interval = match whole.headers.restart_interval {
        0 => left,
        interval => u64::from(interval),
    };
    for number in 0.. {
        bits = walk_interval(bits, &mut beyond, parts, left.min(interval))?;
        left = left.saturating_sub(interval);
        if left == 0 {
            break;
        }
        bits = bits.restart(number, &mut beyond)?;
        parts.iter_mut().flatten().for_each(|part| part.dc_last = 0);
    }
    bits.finish(beyond).map(|_| ())
}

/// How many MCUs the picture has (A.2). If there is but one component, an MCU is one block of it.
fn count_mcus(parts: &mut [Option<Part<'_>>; 4], whole: &ImageInfo) -> Result<u64, JpegError> {
    let (mut width, mut height) = (1, 1);
    let components = || whole.headers.components.iter().flatten();
    if components().count() == 1 {
        parts.iter_mut().flatten().for_each(|part| part.blocks = 1);
    } else {
        width = components().map(|component| component.horizontal).max().unwrap_or(1);
        height = components().map(|component| component.vertical).max().unwrap_or(1);
    }
    // An MCU has no more than ten blocks (B.2.3).
    if parts.iter().flatten().map(|part| part.blocks).sum::<u32>() > 10 {
        return Err(JpegError::InvalidHeaders);
    }
    let across = whole.dimensions.width.div_ceil(8 * u32::from(width));
    let down = whole.dimensions.height.div_ceil(8 * u32::from(height));
    Ok(u64::from(across) * u64::from(down))
}

/// Walk this many MCUs. All in one function: results of others would keep [`Bits`] out of the registers, and make
/// it take three times as long.
fn walk_interval<'a>(
    mut bits: Bits<'a>,
    beyond: &mut Beyond,
    parts: &mut [Option<Part<'_>>; 4],
    mcus: u64,
) -> Result<Bits<'a>, JpegError> {
    for _ in 0..mcus {
        for part in parts.iter_mut().flatten() {
            for _ in 0..part.blocks {
                bits = bits.fill(beyond);
                let (length, size) = part.dc.look_up(bits.peek::<16>())?;
                part.dc_last = part.dc_last.wrapping_add(bits.number(length, size));
                if part.dc_last.unsigned_abs() > part.dc_limit {
                    return Err(JpegError::InvalidData);
                }
                bits = bits.skip(length + size);
                let mut index = 1;
                // What was filled in is enough for one DC and one AC entry, or for two AC entries.
                const { assert!(DC_MOST + AC_MOST <= 56 && 2 * AC_MOST <= 56) };
                let mut entries = 1;
                'block: loop {
                    for _ in 0..entries {
                        let entry = part.ac.look_up(bits.peek::<AC_BITS>());
                        let next = index + entry.advance();
                        if next < 64 {
                            bits = bits.skip(entry.bits());
                            index = next;
                            continue;
                        }
                        if ends_block(next) {
                            bits = bits.skip(entry.bits());
                            break 'block;
                        }
                        // The code is a long one, or more are resolved than this block has.
                        bits = bits.fill(beyond);
                        let (count, advance) = part.ac.decode(bits.peek::<16>())?;
                        bits = bits.skip(count);
                        index += advance;
                        if ends_block(index) {
                            break 'block;
                        }
                        if index > 63 {
                            return Err(JpegError::InvalidData);
                        }
                        break;
                    }
                    bits = bits.fill(beyond);
                    entries = 2;
                }
            }
        }
        if bits.is_beyond(beyond) {
            return Err(JpegError::MissingData);
        }
    }
    Ok(bits)
}
