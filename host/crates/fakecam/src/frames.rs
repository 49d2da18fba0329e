//! The frames that a camera delivers.

use std::time::Duration;

use crate::formats::{Mode, SupportedFormats};
use crate::jpeg_files::JpegSequence;
use crate::options::{Options, is_nth};
use crate::test_pattern;

/// A frame as the driver delivers it.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Empty if `EMPTY_EVERY` applies.
    pub(crate) bytes: Vec<u8>,
    /// Whether the driver flags the frame with `V4L2_BUF_FLAG_ERROR`.
    pub(crate) has_error: bool,
}

/// Creates a frame, with the faults that the options ask for.
pub(crate) fn create(
    formats: &SupportedFormats,
    options: &Options,
    mode: Mode,
    sequence: u32,
    captured_at: Duration,
) -> Frame {
    let mut bytes = match formats.jpeg_sequence(mode) {
        Some(jpegs) => jpeg(jpegs, options, sequence, captured_at),
        None => test_pattern::draw(mode.width as usize, mode.height as usize, sequence),
    };
    let middle = bytes.len() / 2;
    if is_nth(options.corrupt_every, sequence) {
        // Every decoder detects this: after 0xFF, a zero byte is stuffing (T.81, B.1.1.5), so these are only one bits,
        // and no Huffman code consists of one bits alone (T.81, C.2). Other bytes might decode to a wrong image.
        let damaged = bytes[middle..].iter_mut().take(64);
        damaged.zip([0xFF, 0x00].into_iter().cycle()).for_each(|(byte, value)| *byte = value);
    }
    let has_error = is_nth(options.error_every, sequence);
    if has_error || is_nth(options.truncate_every, sequence) {
        bytes.truncate(middle);
    }
    if is_nth(options.empty_every, sequence) {
        bytes.clear();
    }
    Frame { bytes, has_error }
}

fn jpeg(jpegs: &JpegSequence, options: &Options, sequence: u32, captured_at: Duration) -> Vec<u8> {
    let source = &jpegs.frames[sequence as usize % jpegs.frames.len()];
    let (start, mut rest) = source.split_at(2);
    let mut bytes = start.to_vec();
    if options.stamp != 0.0 {
        let (seconds, microseconds) = (captured_at.as_secs(), captured_at.subsec_micros());
        let text = format!("fakecam seq={sequence:010} mono={seconds:010}.{microseconds:06}");
        bytes.extend([0xFF, 0xFE, 0, text.len() as u8 + 2]);
        bytes.extend(text.bytes());
    }
    if options.strip_dht != 0.0 {
        // Copy all segments before the scan except the Huffman tables.
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
