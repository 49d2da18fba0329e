//! The frames that a camera makes.

use std::time::Duration;

use crate::clips::Clip;
use crate::offer::{Mode, Offer};
use crate::options::{Options, every};

/// A frame as the driver hands it over.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Empty if the frame was lost on the way.
    pub(crate) bytes: Vec<u8>,
    /// Whether the driver flags it as damaged.
    pub(crate) is_flagged: bool,
}

/// Makes a frame, with the faults that it has to have.
pub(crate) fn make(offer: &Offer, options: &Options, mode: Mode, sequence: u32, taken: Duration) -> Frame {
    let mut bytes = match offer.clip(mode) {
        Some(clip) => jpeg(clip, options, sequence, taken),
        None => bars(mode.width as usize, mode.height as usize, sequence),
    };
    let middle = bytes.len() / 2;
    if every(options.corrupt_every, sequence) {
        // Zero bytes after 0xFF are stuffing (T.81, B.1.1.5), so these are ones alone: no Huffman code consists of ones
        // (T.81, C.2), and every decoder notices. Other wrong bytes may decode to a picture that looks wrong.
        let wrong = bytes[middle..].iter_mut().take(64);
        wrong.zip([0xFF, 0x00].into_iter().cycle()).for_each(|(byte, value)| *byte = value);
    }
    let is_flagged = every(options.error_every, sequence);
    if is_flagged || every(options.truncate_every, sequence) {
        bytes.truncate(middle);
    }
    if every(options.empty_every, sequence) {
        bytes.clear();
    }
    Frame { bytes, is_flagged }
}

fn jpeg(clip: &Clip, options: &Options, sequence: u32, taken: Duration) -> Vec<u8> {
    let source = &clip.frames[sequence as usize % clip.frames.len()];
    let (start, mut rest) = source.split_at(2);
    let mut bytes = start.to_vec();
    if options.stamp != 0.0 {
        let text = format!("fakecam seq={sequence:010} mono={:010}.{:06}", taken.as_secs(), taken.subsec_micros());
        bytes.extend([0xFF, 0xFE, 0, text.len() as u8 + 2]);
        bytes.extend(text.bytes());
    }
    if options.strip_dht != 0.0 {
        // All segments up to the scan, but the Huffman tables.
        while let [0xFF, marker, high, low, ..] = *rest
            && marker != 0xDA
        {
            let length = 2 + usize::from(u16::from_be_bytes([high, low]));
            let Some((segment, others)) = rest.split_at_checked(length) else { break };
            if marker != 0xC4 {
                bytes.extend(segment);
            }
            rest = others;
        }
    }
    bytes.extend(rest);
    bytes.resize(bytes.len() + options.padding(), 0);
    bytes
}

/// Y, U and V of the bars, from the left.
const BARS: [[u8; 3]; 8] = [
    [180, 128, 128],
    [162, 44, 142],
    [131, 156, 44],
    [112, 72, 58],
    [84, 184, 198],
    [65, 100, 212],
    [35, 212, 114],
    [16, 128, 128],
];

/// Bars of colour that move by two pixels a frame, in YUYV. The sequence number is drawn as 32 black or white squares
/// in the top left corner, the most significant bit first.
fn bars(width: usize, height: usize, sequence: u32) -> Vec<u8> {
    let row: Vec<u8> = (0..width)
        .step_by(2)
        .flat_map(|x| {
            let [y, u, v] = BARS[(x + sequence as usize * 2) % width * 8 / width];
            [y, u, y, v]
        })
        .collect();
    let mut bytes = row.repeat(height);
    let square = width / 40;
    for row in bytes.chunks_exact_mut(width * 2).take(square) {
        for (x, pixel) in row.chunks_exact_mut(2).take(square * 32).enumerate() {
            let is_white = sequence >> (31 - x / square) & 1 == 1;
            pixel.copy_from_slice(&[if is_white { 235 } else { 16 }, 128]);
        }
    }
    bytes
}
