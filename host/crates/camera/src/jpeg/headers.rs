//! Parses the segments from the start of an image to its first scan (B.2).

use super::error::JpegError;
use super::markers::{DAC, DHT, DQT, DRI, EOI, JPG, MARKER, SOI, SOS, TEM};
use crate::dimensions::Dimensions;

/// The most components that a sequential frame may have in one scan (B.2.3).
const MAX_COMPONENTS: usize = 4;

/// Where in the image a Huffman table is defined: 16 counts of codes, then the symbols (B.2.4.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TableRange {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The definitions of the Huffman tables: of the DC tables, then of the AC tables, by table number.
type HuffmanTables = [[Option<TableRange>; 4]; 2];

/// A colour component of the frame, with the tables that the first scan selects for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Component {
    /// The component identifier that scan headers refer to.
    pub id: u8,
    /// Horizontal sampling factor, 1 to 4.
    pub horizontal: u8,
    /// Vertical sampling factor, 1 to 4.
    pub vertical: u8,
    /// The quantization step of the DC coefficient, or 0 if the quantization table is missing.
    pub dc_step: u16,
    /// The number of the DC Huffman table, 0 to 3.
    pub dc: u8,
    /// The number of the AC Huffman table, 0 to 3.
    pub ac: u8,
}

/// What the headers of an image say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Headers {
    /// The size of the picture.
    pub dimensions: Dimensions,
    /// Whether the image is coded with the sequential DCT, Huffman codes and 8 bits a sample (SOF0 or SOF1).
    pub sequential: bool,
    /// Whether the image is coded as cameras do: like that, with all components in a single scan. Otherwise the fields
    /// below are meaningless.
    pub single_scan: bool,
    /// The components in the order of the scan.
    pub components: [Option<Component>; MAX_COMPONENTS],
    /// The number of MCUs between restart markers, or 0 without restart markers.
    pub restart_interval: u16,
    /// Where the Huffman tables are defined: DC tables, then AC tables, by table number.
    pub huffman_tables: HuffmanTables,
    /// Whether the scan uses a missing table that has a standard definition (K.3).
    pub lacks_tables: bool,
    /// Where the standard tables must be inserted: before the first table segment, so that the image's own tables
    /// override them, or else before the scan.
    pub tables_offset: usize,
    /// Where the entropy-coded data of the first scan start.
    pub data_offset: usize,
}

/// What the frame header says.
#[derive(Clone, Copy)]
struct FrameHeader {
    dimensions: Dimensions,
    is_sequential: bool,
    component_count: u8,
    components: [Option<Component>; MAX_COMPONENTS],
    /// The numbers of the components' quantization tables.
    quantization_tables: [u8; MAX_COMPONENTS],
}

/// Bytes that may end early.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(self, index: usize) -> Result<u8, JpegError> {
        self.0.get(index).copied().ok_or(JpegError::TruncatedHeaders)
    }

    fn word(self, index: usize) -> Result<u16, JpegError> {
        Ok(u16::from_be_bytes([self.byte(index)?, self.byte(index + 1)?]))
    }
}

/// Parses the segments up to the first scan.
pub(super) fn parse(bytes: &[u8]) -> Result<Headers, JpegError> {
    let reader = Reader(bytes);
    let mut frame = None;
    let mut restart_interval = 0;
    let mut huffman_tables = [[None; 4]; 2];
    let mut tables_offset = None;
    let mut dc_steps = [0; 4];
    let mut position = 2;
    loop {
        if reader.byte(position)? != MARKER {
            return Err(JpegError::InvalidHeaders);
        }
        // Any number of fill bytes may precede a marker (B.1.1.2).
        while reader.byte(position + 1)? == MARKER {
            position += 1;
        }
        let marker = reader.byte(position + 1)?;
        match marker {
            // The only marker without a segment that may occur here.
            TEM => {
                position += 2;
                continue;
            }
            0x00 | 0xD0..=0xD7 | SOI | EOI => return Err(JpegError::InvalidHeaders),
            _ => {}
        }
        let length = usize::from(reader.word(position + 2)?);
        if length < 2 {
            return Err(JpegError::InvalidHeaders);
        }
        let (content, next) = (position + 4, position + 2 + length);
        // Limits reading to the segment and to the image.
        let segment = || bytes.get(..next).map(Reader).ok_or(JpegError::TruncatedHeaders);
        match marker {
            DHT => {
                tables_offset.get_or_insert(position);
                parse_huffman_tables(segment()?, content, next, &mut huffman_tables)?;
            }
            DQT => parse_dc_steps(segment()?, content, next, &mut dc_steps)?,
            DRI => {
                if length != 4 {
                    return Err(JpegError::InvalidHeaders);
                }
                restart_interval = segment()?.word(content)?;
            }
            SOS => {
                // The scan has at least one byte of data.
                reader.byte(next)?;
                let mut frame: FrameHeader = frame.ok_or(JpegError::InvalidHeaders)?;
                for (component, table) in frame.components.iter_mut().flatten().zip(frame.quantization_tables) {
                    component.dc_step = dc_steps.get(usize::from(table)).copied().unwrap_or(0);
                }
                let scan = parse_scan_header(segment()?, content, length, &frame)?;
                return Ok(Headers {
                    dimensions: frame.dimensions,
                    sequential: frame.is_sequential,
                    single_scan: scan.iter().flatten().count() == usize::from(frame.component_count),
                    components: scan,
                    restart_interval,
                    huffman_tables,
                    lacks_tables: lacks_tables(&scan, &huffman_tables)?,
                    tables_offset: tables_offset.unwrap_or(position),
                    data_offset: next,
                });
            }
            // Start of frame, for any coding process. There is only one before a scan.
            0xC0..=0xCF if !matches!(marker, JPG | DAC) => {
                let header = parse_frame_header(segment()?, marker, content, length)?;
                if frame.replace(header).is_some() {
                    return Err(JpegError::InvalidHeaders);
                }
            }
            _ => {}
        }
        position = next;
    }
}

/// Parses a frame header (B.2.2): precision, height, width, and three bytes for each component.
fn parse_frame_header(reader: Reader<'_>, marker: u8, content: usize, length: usize) -> Result<FrameHeader, JpegError> {
    let at = |offset: usize| {
        if offset + 2 < length { reader.byte(content + offset) } else { Err(JpegError::InvalidHeaders) }
    };
    let precision = at(0)?;
    let height = u32::from(u16::from_be_bytes([at(1)?, at(2)?]));
    let width = u32::from(u16::from_be_bytes([at(3)?, at(4)?]));
    let component_count = at(5)?;
    // Height 0 means that a DNL segment after the first scan defines it. No camera does this.
    if width == 0 || height == 0 || component_count == 0 || length != 8 + 3 * usize::from(component_count) {
        return Err(JpegError::InvalidHeaders);
    }
    let mut components = [None; MAX_COMPONENTS];
    let mut quantization_tables = [0; MAX_COMPONENTS];
    let slots = components.iter_mut().zip(&mut quantization_tables);
    for (index, (component, table)) in slots.enumerate().take(usize::from(component_count)) {
        *table = at(8 + 3 * index)?;
        let factors = at(7 + 3 * index)?;
        let (horizontal, vertical) = (factors >> 4, factors & 15);
        if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) {
            return Err(JpegError::InvalidHeaders);
        }
        *component = Some(Component { id: at(6 + 3 * index)?, horizontal, vertical, dc_step: 0, dc: 0, ac: 0 });
    }
    let is_sequential =
        matches!(marker, 0xC0 | 0xC1) && precision == 8 && usize::from(component_count) <= MAX_COMPONENTS;
    Ok(FrameHeader {
        dimensions: Dimensions { width, height },
        is_sequential,
        component_count,
        components,
        quantization_tables,
    })
}

/// Parses a scan header (B.2.3): the number of components, and two bytes for each. Returns no components if the frame
/// is not sequential, because its tables may follow later.
fn parse_scan_header(
    reader: Reader<'_>,
    content: usize,
    length: usize,
    frame: &FrameHeader,
) -> Result<[Option<Component>; MAX_COMPONENTS], JpegError> {
    let mut scan = [None; MAX_COMPONENTS];
    if !frame.is_sequential {
        return Ok(scan);
    }
    if length < 3 {
        return Err(JpegError::InvalidHeaders);
    }
    let count = usize::from(reader.byte(content)?);
    if !(1..=usize::from(frame.component_count)).contains(&count) || length != 6 + 2 * count {
        return Err(JpegError::InvalidHeaders);
    }
    for (index, (component, same_position)) in scan.iter_mut().zip(frame.components).enumerate().take(count) {
        let id = reader.byte(content + 1 + 2 * index)?;
        let selectors = reader.byte(content + 2 + 2 * index)?;
        let (dc, ac) = (selectors >> 4, selectors & 15);
        if dc > 3 || ac > 3 {
            return Err(JpegError::InvalidHeaders);
        }
        // A scan lists its components in the frame's order (B.2.3), but may omit some.
        let found = same_position.filter(|component| component.id == id);
        let found = found.or_else(|| frame.components.into_iter().flatten().find(|component| component.id == id));
        *component = Some(Component { dc, ac, ..found.ok_or(JpegError::InvalidHeaders)? });
    }
    Ok(scan)
}

/// Parses a segment of Huffman tables (B.2.4.2): for each table its class and number, 16 counts of codes, and the
/// symbols.
fn parse_huffman_tables(
    reader: Reader<'_>,
    content: usize,
    end: usize,
    tables: &mut HuffmanTables,
) -> Result<(), JpegError> {
    let mut position = content;
    while position < end {
        let start = position + 1;
        let counts = reader.0.get(start..start + 16).ok_or(JpegError::InvalidHeaders)?;
        let symbols: usize = counts.iter().copied().map(usize::from).sum();
        let selector = reader.byte(position)?;
        let class = tables.get_mut(usize::from(selector >> 4));
        let table = class.and_then(|class| class.get_mut(usize::from(selector & 15)));
        position = start + 16 + symbols;
        if position > end || symbols > 256 {
            return Err(JpegError::InvalidHeaders);
        }
        *table.ok_or(JpegError::InvalidHeaders)? = Some(TableRange { start, end: position });
    }
    Ok(())
}

/// Parses a segment of quantization tables (B.2.4.1): for each table its precision and number, and 64 values of one or
/// two bytes. Keeps only the first value, the step of the DC coefficient.
fn parse_dc_steps(reader: Reader<'_>, content: usize, end: usize, dc_steps: &mut [u16; 4]) -> Result<(), JpegError> {
    let mut position = content;
    while position < end {
        let selector = reader.byte(position)?;
        let (step, length) = match selector >> 4 {
            0 => (reader.byte(position + 1).map(u16::from), 64),
            1 => (reader.word(position + 1), 128),
            _ => return Err(JpegError::InvalidHeaders),
        };
        *dc_steps.get_mut(usize::from(selector & 15)).ok_or(JpegError::InvalidHeaders)? = step?;
        position += 1 + length;
    }
    if position == end { Ok(()) } else { Err(JpegError::InvalidHeaders) }
}

/// Whether the scan uses missing tables. Only numbers 0 and 1 have a standard definition (K.3).
fn lacks_tables(scan: &[Option<Component>; MAX_COMPONENTS], tables: &HuffmanTables) -> Result<bool, JpegError> {
    let mut lacks = false;
    for component in scan.iter().flatten() {
        for (class, number) in tables.iter().zip([component.dc, component.ac]) {
            if class.get(usize::from(number)).copied().flatten().is_none() {
                if number > 1 {
                    return Err(JpegError::MissingHuffmanTable);
                }
                lacks = true;
            }
        }
    }
    Ok(lacks)
}
