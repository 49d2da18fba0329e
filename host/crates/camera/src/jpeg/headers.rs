//! The walk along the segments from the start of an image to its first scan (B.2).

use super::{DAC, DHT, DQT, DRI, EOI, JPG, JpegError, MARKER, SOI, SOS, TEM};
use crate::dimensions::Dimensions;

/// Where in the image a Huffman table is defined: 16 counts of codes, then their symbols (B.2.4.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Definition {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A colour component of the frame, as its first scan codes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Component {
    /// The identifier by which scans name it.
    pub id: u8,
    /// Horizontal sampling factor, 1 to 4.
    pub horizontal: u8,
    /// Vertical sampling factor, 1 to 4.
    pub vertical: u8,
    /// What its DC coefficients are multiplied by: the first of its table of quantisation. 0: there is none.
    pub dc_step: u16,
    /// The number of its DC Huffman table, 0 to 3.
    pub dc: u8,
    /// The number of its AC Huffman table, 0 to 3.
    pub ac: u8,
}

/// What the headers of an image say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Headers {
    /// The size of the picture.
    pub dimensions: Dimensions,
    /// Whether it is coded as cameras do: sequential DCT, Huffman, 8 bit (SOF0 or SOF1), and all components in
    /// one scan. The fields below mean something only then.
    pub plain: bool,
    /// The components in the order of the scan.
    pub components: [Option<Component>; 4],
    /// MCUs from one restart marker to the next. 0: there are none.
    pub restart_interval: u16,
    /// Where Huffman tables are defined: for DC and for AC coefficients, by their number.
    pub tables: [[Option<Definition>; 4]; 2],
    /// Whether the scan uses a table that is not there, but has a standard definition.
    pub lacks_tables: bool,
    /// Where the standard tables belong: before the first segment of tables, which override them, or before
    /// the scan.
    pub tables_at: usize,
    /// Where the entropy-coded data of the first scan begin.
    pub data_at: usize,
}

/// What the frame header says.
#[derive(Clone, Copy)]
struct FrameHeader {
    dimensions: Dimensions,
    sequential: bool,
    count: u8,
    components: [Option<Component>; 4],
    /// The numbers of their tables of quantisation.
    quantisation: [u8; 4],
}

/// Access to bytes that may not be there.
#[derive(Clone, Copy)]
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn byte(self, index: usize) -> Result<u8, JpegError> {
        self.0.get(index).copied().ok_or(JpegError::TruncatedHeaders)
    }

    fn word(self, index: usize) -> Result<u16, JpegError> {
        Ok(u16::from_be_bytes([self.byte(index)?, self.byte(index + 1)?]))
    }
}

/// Walk the segments up to the first scan.
pub(super) fn walk(bytes: &[u8]) -> Result<Headers, JpegError> {
    let source = Source(bytes);
    let mut frame = None;
    let mut restart_interval = 0;
    let mut tables = [[None; 4]; 2];
    let mut tables_at = None;
    let mut steps = [0; 4];
    let mut position = 2;
    loop {
        if source.byte(position)? != MARKER {
            return Err(JpegError::InvalidHeaders);
        }
        // Any number of fill bytes may precede a marker (B.1.1.2).
        while source.byte(position + 1)? == MARKER {
            position += 1;
        }
        let marker = source.byte(position + 1)?;
        match marker {
            // Markers that stand alone: there is nothing between the start and the first scan but TEM.
            TEM => {
                position += 2;
                continue;
            }
            0x00 | 0xD0..=0xD7 | SOI | EOI => return Err(JpegError::InvalidHeaders),
            _ => {}
        }
        let length = usize::from(source.word(position + 2)?);
        if length < 2 {
            return Err(JpegError::InvalidHeaders);
        }
        let (content, next) = (position + 4, position + 2 + length);
        // What is read of a segment must be inside it and inside the image.
        let inside = || bytes.get(..next).map(Source).ok_or(JpegError::TruncatedHeaders);
        match marker {
            DHT => {
                tables_at.get_or_insert(position);
                read_tables(inside()?, content, next, &mut tables)?;
            }
            DQT => read_steps(inside()?, content, next, &mut steps)?,
            DRI => {
                if length != 4 {
                    return Err(JpegError::InvalidHeaders);
                }
                restart_interval = inside()?.word(content)?;
            }
            SOS => {
                // The scan has at least one byte of data.
                source.byte(next)?;
                let mut frame: FrameHeader = frame.ok_or(JpegError::InvalidHeaders)?;
                for (component, table) in frame.components.iter_mut().flatten().zip(frame.quantisation) {
                    component.dc_step = steps.get(usize::from(table)).copied().unwrap_or(0);
                }
                let scan = read_scan(inside()?, content, length, &frame)?;
                return Ok(Headers {
                    dimensions: frame.dimensions,
                    plain: scan.iter().flatten().count() == usize::from(frame.count),
                    components: scan,
                    restart_interval,
                    tables,
                    lacks_tables: lacks_tables(&scan, &tables)?,
                    tables_at: tables_at.unwrap_or(position),
                    data_at: next,
                });
            }
            // Start of frame, of any process. There is only one before a scan.
            0xC0..=0xCF if !matches!(marker, JPG | DAC) => {
                let read = read_frame(inside()?, marker, content, length)?;
                if frame.replace(read).is_some() {
                    return Err(JpegError::InvalidHeaders);
                }
            }
            _ => {}
        }
        position = next;
    }
}

/// A frame header (B.2.2): precision, height, width, and three bytes for each component.
fn read_frame(source: Source<'_>, marker: u8, content: usize, length: usize) -> Result<FrameHeader, JpegError> {
    let at = |offset: usize| {
        if offset + 2 < length { source.byte(content + offset) } else { Err(JpegError::InvalidHeaders) }
    };
    let precision = at(0)?;
    let height = u32::from(u16::from_be_bytes([at(1)?, at(2)?]));
    let width = u32::from(u16::from_be_bytes([at(3)?, at(4)?]));
    let count = at(5)?;
    // A height of 0 means that it follows the first scan (DNL), which no camera does.
    if width == 0 || height == 0 || count == 0 || length != 8 + 3 * usize::from(count) {
        return Err(JpegError::InvalidHeaders);
    }
    let mut components = [None; 4];
    let mut quantisation = [0; 4];
    let places = components.iter_mut().zip(&mut quantisation);
    for (index, (component, table)) in places.enumerate().take(usize::from(count)) {
        *table = at(8 + 3 * index)?;
        let factors = at(7 + 3 * index)?;
        let (horizontal, vertical) = (factors >> 4, factors & 15);
        if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) {
            return Err(JpegError::InvalidHeaders);
        }
        *component = Some(Component { id: at(6 + 3 * index)?, horizontal, vertical, dc_step: 0, dc: 0, ac: 0 });
    }
    let sequential = matches!(marker, 0xC0 | 0xC1) && precision == 8 && count <= 4;
    Ok(FrameHeader { dimensions: Dimensions { width, height }, sequential, count, components, quantisation })
}

/// A scan header (B.2.3): the number of components, and two bytes for each. There are none if the frame is not
/// sequential: its tables may follow later.
fn read_scan(
    source: Source<'_>,
    content: usize,
    length: usize,
    frame: &FrameHeader,
) -> Result<[Option<Component>; 4], JpegError> {
    let mut scan = [None; 4];
    if !frame.sequential {
        return Ok(scan);
    }
    if length < 3 {
        return Err(JpegError::InvalidHeaders);
    }
    let count = usize::from(source.byte(content)?);
    if !(1..=usize::from(frame.count)).contains(&count) || length != 6 + 2 * count {
        return Err(JpegError::InvalidHeaders);
    }
    for (index, (component, same)) in scan.iter_mut().zip(frame.components).enumerate().take(count) {
        let id = source.byte(content + 1 + 2 * index)?;
        let selectors = source.byte(content + 2 + 2 * index)?;
        let (dc, ac) = (selectors >> 4, selectors & 15);
        if dc > 3 || ac > 3 {
            return Err(JpegError::InvalidHeaders);
        }
        // In the frame's order, as they must be, unless the scan has only some of them.
        let found = same.filter(|named| named.id == id);
        let found = found.or_else(|| frame.components.into_iter().flatten().find(|named| named.id == id));
        *component = Some(Component { dc, ac, ..found.ok_or(JpegError::InvalidHeaders)? });
    }
    Ok(scan)
}

/// A segment of Huffman tables (B.2.4.2): class and number, 16 counts, and as many symbols.
fn read_tables(
    source: Source<'_>,
    content: usize,
    end: usize,
    tables: &mut [[Option<Definition>; 4]; 2],
) -> Result<(), JpegError> {
    let mut position = content;
    while position < end {
        let start = position + 1;
        let counts = source.0.get(start..start + 16).ok_or(JpegError::InvalidHeaders)?;
        let symbols: usize = counts.iter().copied().map(usize::from).sum();
        let place = source.byte(position)?;
        let place = tables.get_mut(usize::from(place >> 4)).and_then(|class| class.get_mut(usize::from(place & 15)));
        position = start + 16 + symbols;
        if position > end || symbols > 256 {
            return Err(JpegError::InvalidHeaders);
        }
        *place.ok_or(JpegError::InvalidHeaders)? = Some(Definition { start, end: position });
    }
    Ok(())
}

/// A segment of tables of quantisation (B.2.4.1): precision and number, and 64 numbers of one or of two bytes. Of
/// those only the first is of interest.
fn read_steps(source: Source<'_>, content: usize, end: usize, steps: &mut [u16; 4]) -> Result<(), JpegError> {
    let mut position = content;
    while position < end {
        let place = source.byte(position)?;
        let (step, length) = match place >> 4 {
            0 => (source.byte(position + 1).map(u16::from), 64),
            1 => (source.word(position + 1), 128),
            _ => return Err(JpegError::InvalidHeaders),
        };
        *steps.get_mut(usize::from(place & 15)).ok_or(JpegError::InvalidHeaders)? = step?;
        position += 1 + length;
    }
    if position == end { Ok(()) } else { Err(JpegError::InvalidHeaders) }
}

/// Does the scan use tables that are not there? Only those numbered 0 and 1 have a standard definition (K.3).
fn lacks_tables(scan: &[Option<Component>; 4], tables: &[[Option<Definition>; 4]; 2]) -> Result<bool, JpegError> {
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
