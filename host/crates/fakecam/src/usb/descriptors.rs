//! The descriptors of the USB camera: UVC 1.1 at high speed, with a bulk endpoint.
//!
//! The numbers are from "USB Device Class Definition for Video Devices" 1.1 (UVC) and chapter 9 of USB 2.0.

use crate::formats::{PixelFormat, SupportedFormats};
use crate::options::Options;

/// The address of the bulk endpoint for frames.
const VIDEO_ENDPOINT: u8 = 0x81;
/// `dwClockFrequency`, in Hz.
pub(super) const CLOCK_FREQUENCY: u32 = 48_000_000;

/// The device descriptor (USB 2.0, 9.6.1): a miscellaneous device with interface associations.
pub(super) const DEVICE: [u8; 18] = [18, 1, 0, 2, 0xEF, 2, 1, 64, 0x09, 0x12, 1, 0, 0, 1, 1, 2, 3, 1];

/// Returns a frame interval in units of 100 ns, or 0 if `index` is out of range.
pub(super) fn interval(formats: &SupportedFormats, index: usize) -> u32 {
    formats.intervals.get(index).map_or(0, |interval| (interval.seconds() * 1e7).round() as u32)
}

/// Returns the configuration descriptor with all the descriptors that belong to it.
pub(super) fn configuration(formats: &SupportedFormats, options: &Options) -> Vec<u8> {
    let mut all = Vec::new();
    // Configuration (USB 2.0, 9.6.3), interface association, video control interface.
    all.extend([9, 2, 0, 0, 2, 1, 0, 0x80, 250]);
    all.extend([8, 11, 0, 2, 0x0E, 3, 0, 2]);
    all.extend([9, 4, 0, 0, 0, 0x0E, 1, 0, 2]);
    // Class-specific header (UVC, 3.7.2), with the total length of itself and the descriptors of terminals and units.
    all.extend([13, 0x24, 1, 0x10, 0x01, 13 + 18 + 12 + 9, 0]);
    all.extend(CLOCK_FREQUENCY.to_le_bytes());
    all.extend([1, 1]);
    // Camera terminal 1, processing unit 2, output terminal 3.
    all.extend([18, 0x24, 2, 1, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0x0A, 0, 0]);
    all.extend([12, 0x24, 5, 2, 1, 0, 0, 2, 0x0B, 0x04, 0, 0]);
    all.extend([9, 0x24, 3, 3, 0x01, 0x01, 0, 2, 0]);
    // Video streaming interface, and its input header (UVC, 3.9.2.1) without controls for each format.
    all.extend([9, 4, 1, 0, 1, 0x0E, 2, 0, 0]);
    let header = all.len();
    let format_count = formats.pixel_formats.len() as u8;
    all.extend([13 + format_count, 0x24, 1, format_count, 0, 0, VIDEO_ENDPOINT, 0, 3, 0, 0, 0, 1]);
    all.resize(all.len() + formats.pixel_formats.len(), 0);
    for (index, format) in formats.pixel_formats.iter().enumerate() {
        add_format(&mut all, formats, options, index as u8 + 1, *format);
    }
    let length = (all.len() - header) as u16;
    all[header + 4..header + 6].copy_from_slice(&length.to_le_bytes());
    // Bulk endpoint with packets of 512 bytes.
    all.extend([7, 5, VIDEO_ENDPOINT, 2, 0, 2, 0]);
    let length = all.len() as u16;
    all[2..4].copy_from_slice(&length.to_le_bytes());
    all
}

/// Appends the descriptors of a format (UVC Motion-JPEG, 3.1.1; UVC Uncompressed, 3.1.1), its frame sizes and its
/// colours.
fn add_format(all: &mut Vec<u8>, formats: &SupportedFormats, options: &Options, number: u8, format: PixelFormat) {
    /// The GUID of YUY2.
    const YUY2: [u8; 16] = [b'Y', b'U', b'Y', b'2', 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
    let sizes = formats.sizes(format.fourcc());
    let count = sizes.len() as u8;
    // The subtypes of the format descriptor and the frame descriptors (UVC, A.6).
    let [format_subtype, frame_subtype] = match format {
        PixelFormat::Yuyv => [0x04, 0x05],
        PixelFormat::Mjpg => [0x06, 0x07],
    };
    match format {
        PixelFormat::Mjpg => all.extend([11, 0x24, format_subtype, number, count, 0, 1, 0, 0, 0, 0]),
        PixelFormat::Yuyv => {
            all.extend([27, 0x24, format_subtype, number, count]);
            all.extend(YUY2);
            all.extend([16, 1, 0, 0, 0, 0]);
        }
    }
    let intervals: Vec<u32> = (0..formats.intervals.len()).map(|index| interval(formats, index)).collect();
    for (index, (width, height)) in sizes.into_iter().enumerate() {
        let mode = crate::formats::Mode { pixel_format: format, width, height };
        let largest = formats.max_frame_length(mode, options);
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
    // Colour matching (UVC, 3.9.2.6): BT.709 primaries and transfer function, BT.601 matrix.
    all.extend([6, 0x24, 0x0D, 1, 1, 4]);
}

/// Returns a string descriptor (USB 2.0, 9.6.7). String 0 is the list of languages.
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
