//! Checks the entropy-coded data: every block is present, and nothing else (annex F).

use super::bit_reader::{BitReader, ZeroPadding};
use super::error::JpegError;
use super::headers::{Component, TableRange};
use super::huffman::{AC_INDEX_BITS, AC_MAX_BITS, AcTable, DC_MAX_BITS, DcTable, ends_block};
use super::standard_tables::STANDARD_TABLES;
use super::validate::ImageInfo;

/// The largest magnitude of a dequantized DC coefficient. In 8-bit images it is 1024, eight times the largest mean
/// (A.3.3); the rest allows for inexact transforms.
const MAX_DC: u32 = 1024 + 16;

/// Checks the data of images. Keeps the Huffman tables from one image to the next, because a camera rarely changes
/// them.
#[derive(Default)]
pub struct ScanChecker {
    dc: [CachedTable<DcTable>; 4],
    ac: [CachedTable<AcTable>; 4],
}

/// A table and the definition it was built from.
struct CachedTable<T> {
    definition: Vec<u8>,
    table: Option<Box<T>>,
}

impl<T> Default for CachedTable<T> {
    fn default() -> Self {
        Self { definition: Vec::new(), table: None }
    }
}

impl<T> CachedTable<T> {
    /// Builds the table unless the definition is the same as before.
    fn update(&mut self, definition: &[u8], build: fn(&[u8]) -> Result<T, JpegError>) -> Result<(), JpegError> {
        if self.table.is_none() || self.definition != definition {
            self.table = None;
            self.table = Some(Box::new(build(definition)?));
            self.definition.clear();
            self.definition.extend_from_slice(definition);
        }
        Ok(())
    }
}

/// A component during the walk.
#[derive(Clone, Copy)]
struct ScanComponent<'a> {
    blocks_per_mcu: u32,
    /// The DC coefficient of the previous block, from which the next one differs (F.1.1.5.1).
    previous_dc: i32,
    /// The largest magnitude of a quantized DC coefficient.
    max_dc: u32,
    dc: &'a DcTable,
    ac: &'a AcTable,
}

/// Checks the data of the image that [`validate`](super::validate()) found in `bytes`, with a new [`ScanChecker`].
pub fn check_scan(bytes: &[u8], info: &ImageInfo) -> Result<(), JpegError> {
    ScanChecker::default().check(bytes, info)
}

impl ScanChecker {
    /// Checks the data of the image that [`validate`](super::validate()) found in `bytes`: the picture has all its
    /// blocks, each of valid Huffman codes and at most 64 coefficients, none brighter than white or darker than black
    /// on average, with the restart markers in place.
    ///
    /// Detects everything a decoder would fail on, and nearly all data that were lost or overwritten. Detects fewer
    /// than half of all single flipped bits: many only change the value of a coefficient.
    ///
    /// Accepts images that are not [single-scan](super::Headers::single_scan) without a check.
    ///
    /// `bytes` should be everything the camera sent, because zeros after an image without an end marker may be data.
    pub fn check(&mut self, bytes: &[u8], info: &ImageInfo) -> Result<(), JpegError> {
        if info.headers.single_scan { self.walk(bytes, info, |_, _| {}) } else { Ok(()) }
    }

    /// Like [`check`](Self::check), for an image that must be single-scan. Calls `on_block` for every block, in the
    /// order of the scan, with the index of its component in [`Headers::components`](super::Headers::components) and
    /// its quantized DC coefficient.
    pub(crate) fn walk(
        &mut self,
        bytes: &[u8],
        info: &ImageInfo,
        on_block: impl FnMut(usize, i32),
    ) -> Result<(), JpegError> {
        let headers = &info.headers;
        self.update_tables(bytes, info)?;
        let mut components = [None; 4];
        for (slot, component) in components.iter_mut().zip(headers.components.into_iter().flatten()) {
            *slot = Some(self.scan_component(component).ok_or(JpegError::MissingHuffmanTable)?);
        }
        let end = if info.lacks_end { info.length } else { info.length.saturating_sub(2) };
        let zero_bits = if info.lacks_end { bytes.len().saturating_sub(end) as u64 * 8 } else { 0 };
        let data = bytes.get(headers.data_offset..end).unwrap_or_default();
        walk_data(BitReader::new(data), ZeroPadding::new(zero_bits), &mut components, info, on_block)
    }

    /// Builds all tables that the scan uses.
    fn update_tables(&mut self, bytes: &[u8], info: &ImageInfo) -> Result<(), JpegError> {
        let [dc_ranges, ac_ranges] = &info.headers.huffman_tables;
        let [dc_standard, ac_standard] = &STANDARD_TABLES;
        for component in info.headers.components.iter().flatten() {
            let (dc, ac) = (usize::from(component.dc), usize::from(component.ac));
            let dc_table = self.dc.get_mut(dc).ok_or(JpegError::MissingHuffmanTable)?;
            dc_table.update(definition(bytes, dc_ranges, dc_standard, dc)?, DcTable::new)?;
            let ac_table = self.ac.get_mut(ac).ok_or(JpegError::MissingHuffmanTable)?;
            ac_table.update(definition(bytes, ac_ranges, ac_standard, ac)?, AcTable::new)?;
        }
        Ok(())
    }

    fn scan_component(&self, component: Component) -> Option<ScanComponent<'_>> {
        let dc = self.dc.get(usize::from(component.dc))?.table.as_deref()?;
        let ac = self.ac.get(usize::from(component.ac))?.table.as_deref()?;
        let blocks_per_mcu = u32::from(component.horizontal) * u32::from(component.vertical);
        // Rounded up, because the encoder may round up.
        let max_dc = MAX_DC.checked_div(u32::from(component.dc_step)).map_or(u32::MAX, |limit| limit + 1);
        Some(ScanComponent { blocks_per_mcu, previous_dc: 0, max_dc, dc, ac })
    }
}

/// Returns the bytes that define a table: the image's own, or else the standard's.
fn definition<'a>(
    bytes: &'a [u8],
    own: &[Option<TableRange>; 4],
    standard: &[&'static [u8]; 2],
    number: usize,
) -> Result<&'a [u8], JpegError> {
    match own.get(number).copied().flatten() {
        Some(range) => bytes.get(range.start..range.end),
        None => standard.get(number).copied(),
    }
    .ok_or(JpegError::MissingHuffmanTable)
}

/// Walks all restart intervals of the scan.
fn walk_data(
    mut bits: BitReader<'_>,
    mut padding: ZeroPadding,
    components: &mut [Option<ScanComponent<'_>>; 4],
    info: &ImageInfo,
    mut on_block: impl FnMut(usize, i32),
) -> Result<(), JpegError> {
    let mut mcus_left = count_mcus(components, info)?;
    let interval = match info.headers.restart_interval {
        0 => mcus_left,
        interval => u64::from(interval),
    };
    for number in 0.. {
        bits = walk_interval(bits, &mut padding, components, mcus_left.min(interval), &mut on_block)?;
        mcus_left = mcus_left.saturating_sub(interval);
        if mcus_left == 0 {
            break;
        }
        bits = bits.restart(number, &mut padding)?;
        components.iter_mut().flatten().for_each(|component| component.previous_dc = 0);
    }
    bits.finish(padding).map(|_| ())
}

/// Returns the number of MCUs in the picture (A.2). With a single component, an MCU is one block.
fn count_mcus(components: &mut [Option<ScanComponent<'_>>; 4], info: &ImageInfo) -> Result<u64, JpegError> {
    let (mut width, mut height) = (1, 1);
    let headers = || info.headers.components.iter().flatten();
    if headers().count() == 1 {
        components.iter_mut().flatten().for_each(|component| component.blocks_per_mcu = 1);
    } else {
        width = headers().map(|component| component.horizontal).max().unwrap_or(1);
        height = headers().map(|component| component.vertical).max().unwrap_or(1);
    }
    // An MCU has at most ten blocks (B.2.3).
    if components.iter().flatten().map(|component| component.blocks_per_mcu).sum::<u32>() > 10 {
        return Err(JpegError::InvalidHeaders);
    }
    let across = info.dimensions.width.div_ceil(8 * u32::from(width));
    let down = info.dimensions.height.div_ceil(8 * u32::from(height));
    Ok(u64::from(across) * u64::from(down))
}

/// Walks `mcus` MCUs. A single function, because returning results from helpers would keep [`BitReader`] out of the
/// registers and triple the time.
fn walk_interval<'a>(
    mut bits: BitReader<'a>,
    padding: &mut ZeroPadding,
    components: &mut [Option<ScanComponent<'_>>; 4],
    mcus: u64,
    on_block: &mut impl FnMut(usize, i32),
) -> Result<BitReader<'a>, JpegError> {
    for _ in 0..mcus {
        for (number, component) in components.iter_mut().flatten().enumerate() {
            for _ in 0..component.blocks_per_mcu {
                bits = bits.refill(padding);
                let (length, size) = component.dc.look_up(bits.peek::<16>())?;
                component.previous_dc = component.previous_dc.wrapping_add(bits.receive_extend(length, size));
                if component.previous_dc.unsigned_abs() > component.max_dc {
                    return Err(JpegError::InvalidData);
                }
                on_block(number, component.previous_dc);
                bits = bits.consume(length + size);
                let mut index = 1;
                // A refill suffices for one DC and one AC entry, or for two AC entries.
                const { assert!(DC_MAX_BITS + AC_MAX_BITS <= 56 && 2 * AC_MAX_BITS <= 56) };
                let mut entries = 1;
                'block: loop {
                    for _ in 0..entries {
                        let entry = component.ac.look_up(bits.peek::<AC_INDEX_BITS>());
                        let next = index + entry.advance();
                        if next < 64 {
                            bits = bits.consume(entry.bits());
                            index = next;
                            continue;
                        }
                        if ends_block(next) {
                            bits = bits.consume(entry.bits());
                            break 'block;
                        }
                        // The code is longer than the index, or the entry covers more coefficients than the block has
                        // left.
                        bits = bits.refill(padding);
                        let (count, advance) = component.ac.decode(bits.peek::<16>())?;
                        bits = bits.consume(count);
                        index += advance;
                        if ends_block(index) {
                            break 'block;
                        }
                        if index > 63 {
                            return Err(JpegError::InvalidData);
                        }
                        break;
                    }
                    bits = bits.refill(padding);
                    entries = 2;
                }
            }
        }
        if bits.is_past_end(padding) {
            return Err(JpegError::MissingData);
        }
    }
    Ok(bits)
}
