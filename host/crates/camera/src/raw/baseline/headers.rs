//! The segments before the scan (ITU-T T.81, annex B).

use super::scan::Component;
use crate::jpeg::markers::{DHT, DQT, DRI, MARKER, SOI, SOS};
use crate::jpeg::standard_tables::STANDARD_TABLES;

/// Application data of JFIF (ITU-T T.871, 10.1).
const APP0: u8 = 0xE0;
/// Start of a baseline frame.
const SOF0: u8 = 0xC0;

/// JFIF 1.02 with square pixels and without a thumbnail.
const JFIF: [u8; 14] = *b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0";

/// For each component: its identifier (ITU-T T.871, 10.1), its sampling factors, and the number of its tables.
const COLOUR: &[[u8; 3]] = &[[1, 0x22, 0], [2, 0x11, 1], [3, 0x11, 1]];
const GREY: &[[u8; 3]] = &[[1, 0x11, 0]];

/// What an image consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::raw) enum Components {
    Colour,
    Grey,
}

/// Returns everything before the entropy-coded data. A restart interval of 0 means that there are no restart markers.
pub(super) fn headers(
    [width, height]: [u16; 2],
    components: Components,
    luma: &Component,
    chroma: &Component,
    restart_interval: u16,
) -> Vec<u8> {
    let (entries, tables) = match components {
        Components::Colour => (COLOUR, &[luma, chroma][..]),
        Components::Grey => (GREY, &[luma][..]),
    };
    let mut headers = vec![MARKER, SOI];
    push_segment(&mut headers, APP0, &JFIF);

    let quantization = (0..).zip(tables).flat_map(|(number, component)| {
        let table: [u8; 64] = component.quantizer.table();
        std::iter::once(number).chain(table)
    });
    push_segment(&mut headers, DQT, &quantization.collect::<Vec<_>>());

    let count = entries.len() as u8;
    let [[width_high, width_low], [height_high, height_low]] = [width, height].map(u16::to_be_bytes);
    let frame = [8, height_high, height_low, width_high, width_low, count];
    push_segment(&mut headers, SOF0, &[&frame, entries.as_flattened()].concat());

    for (class, classes) in (0_u8..).zip(STANDARD_TABLES) {
        for (number, table) in (0_u8..).zip(classes).take(tables.len()) {
            push_segment(&mut headers, DHT, &[&[class << 4 | number], table].concat());
        }
    }

    if restart_interval != 0 {
        push_segment(&mut headers, DRI, &restart_interval.to_be_bytes());
    }

    let selectors = entries.iter().flat_map(|&[id, _, table]| [id, table << 4 | table]);
    // All coefficients in a single pass.
    let scan = std::iter::once(count).chain(selectors).chain([0, 63, 0]);
    push_segment(&mut headers, SOS, &scan.collect::<Vec<_>>());
    headers
}

fn push_segment(headers: &mut Vec<u8>, marker: u8, content: &[u8]) {
    let length = u16::try_from(content.len() + 2).unwrap_or(u16::MAX);
    headers.extend([MARKER, marker]);
    headers.extend(length.to_be_bytes());
    headers.extend_from_slice(content);
}
