//! The descriptors of the USB camera: UVC 1.1, high speed, with a bulk endpoint.
//!
//! Numbers are from "USB Device Class Definition for Video Devices" 1.1 (UVC) and chapter 9 of USB 2.0.

use super::SUBTYPES;
use crate::offer::{Offer, PixelFormat};
use crate::options::Options;

/// The endpoint that frames come from.
pub(super) const ENDPOINT: u8 = 0x81;
/// The camera's clock, in Hz.
pub(super) const CLOCK: u32 = 48_000_000;

/// Of the device (USB 2.0, 9.6.1): a miscellaneous device with interface associations.
pub(super) const DEVICE: [u8; 18] = [18, 1, 0, 2, 0xEF, 2, 1, 64, 0x09, 0x12, 1, 0, 0, 1, 1, 2, 3, 1];

/// A frame interval in units of 100 ns.
pub(super) fn interval(offer: &Offer, index: usize) -> u32 {
    offer.intervals.get(index).map_or(0, |interval| (interval.seconds() * 1e7).round() as u32)
}

/// Of the configuration with all that belongs to it.
pub(super) fn configuration(offer: &Offer, options: &Options) -> Vec<u8> {
    let mut all = Vec::new();
    // The configuration (USB 2.0, 9.6.3), the interface association, the video control interface.
    all.extend([9, 2, 0, 0, 2, 1, 0, 0x80, 250]);
    all.extend([8, 11, 0, 2, 0x0E, 3, 0, 2]);
    all.extend([9, 4, 0, 0, 0, 0x0E, 1, 0, 2]);
    // Its header (UVC, 3.7.2), with the length of all that follows it.
    all.extend([13, 0x24, 1, 0x10, 0x01, 13 + 18 + 12 + 9, 0]);
    all.extend(CLOCK.to_le_bytes());
    all.extend([1, 1]);
    // Camera terminal 1 with exposure controls, processing unit 2, output terminal 3.
    all.extend([18, 0x24, 2, 1, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0x0A, 0, 0]);
    all.extend([12, 0x24, 5, 2, 1, 0, 0, 2, 0x0B, 0x04, 0, 0]);
    all.extend([9, 0x24, 3, 3, 0x01, 0x01, 0, 2, 0]);
    // The video streaming interface, and its header (UVC, 3.9.2.1) without controls for each format.
    all.extend([9, 4, 1, 0, 1, 0x0E, 2, 0, 0]);
    let header = all.len();
    let formats = offer.formats.len() as u8;
    all.extend([13 + formats, 0x24, 1, formats, 0, 0, ENDPOINT, 0, 3, 0, 0, 0, 1]);
    all.resize(all.len() + offer.formats.len(), 0);
    for (index, format) in offer.formats.iter().enumerate() {
        add_format(&mut all, offer, options, index as u8 + 1, *format);
    }
    let length = (all.len() - header) as u16;
    all[header + 4..header + 6].copy_from_slice(&length.to_le_bytes());
    // The bulk endpoint, with packets of 512 bytes.
    all.extend([7, 5, ENDPOINT, 2, 0, 2, 0]);
    let length = all.len() as u16;
    all[2..4].copy_from_slice(&length.to_le_bytes());
    all
}

/// A format (UVC Motion-JPEG, 3.1.1; UVC Uncompressed, 3.1.1), its frame sizes and its colours.
fn add_format(all: &mut Vec<u8>, offer: &Offer, options: &Options, number: u8, format: PixelFormat) {
    /// The GUID of YUY2.
    const YUY2: [u8; 16] = [b'Y', b'U', b'Y', b'2', 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
    let sizes = offer.sizes(format.code());
    let count = sizes.len() as u8;
    let [format_subtype, frame_subtype] = SUBTYPES[usize::from(format == PixelFormat::Mjpg)];
    match format {
        PixelFormat::Mjpg => all.extend([11, 0x24, format_subtype, number, count, 0, 1, 0, 0, 0, 0]),
        PixelFormat::Yuyv => {
            all.extend([27, 0x24, format_subtype, number, count]);
            all.extend(YUY2);
            all.extend([16, 1, 0, 0, 0, 0]);
        }
    }
    let intervals: Vec<u32> = (0..offer.intervals.len()).map(|index| interval(offer, index)).collect();
    for (index, (width, height)) in sizes.into_iter().enumerate() {
        let mode = crate::offer::Mode { pixels: format, width, height };
        let largest = offer.largest_frame(mode, options);
        let bit_rate = |interval: Option<&u32>| {
            (f64::from(largest) * 8e7 / f64::from(interval.copied().unwrap_or(1).max(1))) as u32
        };
        all.extend([26 + 4 * intervals.len() as u8, 0x24, frame_subtype, index as u8 + 1, 0]);
        all.extend((width as u16).to_le_bytes());
        all.extend((height as u16).to_le_bytes());
        all.extend(bit_rate(intervals.last()).to_le_bytes());
        all.extend(bit_rate(intervals.first()).to_le_bytes());
        all.extend(largest.to_le_bytes());
        all.extend(intervals.first().unwrap_or(&0).to_le_bytes());
        all.push(intervals.len() as u8);
        all.extend(intervals.iter().flat_map(|interval| interval.to_le_bytes()));
    }
    // Colour matching (UVC, 3.9.2.6): BT.709 primaries and gamma, BT.601 coefficients.
    all.extend([6, 0x24, 0x0D, 1, 1, 4]);
}

/// A string (USB 2.0, 9.6.7): 0 is the list of languages.
pub(super) fn string(index: u8, card: &str) -> Vec<u8> {
    let text = match index {
        0 => return vec![4, 3, 9, 4],
        1 => "Fakecam",
        3 => "0001",
        _ => card,
    };
    let units: Vec<u8> = text.encode_utf16().take(126).flat_map(u16::to_le_bytes).collect();
    let mut all = vec![units.len() as u8 + 2, 3];
    all.extend(units);
    all
}
