//! The second bytes of JPEG markers (table B.1).

/// The first byte of every marker.
pub(super) const MARKER: u8 = 0xFF;
/// Start of image.
pub(super) const SOI: u8 = 0xD8;
/// End of image.
pub(super) const EOI: u8 = 0xD9;
/// Start of scan.
pub(super) const SOS: u8 = 0xDA;
/// Define quantization tables.
pub(super) const DQT: u8 = 0xDB;
/// Define restart interval.
pub(super) const DRI: u8 = 0xDD;
/// Define Huffman tables.
pub(super) const DHT: u8 = 0xC4;
/// Reserved for extensions; among the start-of-frame markers, but not one.
pub(super) const JPG: u8 = 0xC8;
/// Define arithmetic coding; among the start-of-frame markers, but not one.
pub(super) const DAC: u8 = 0xCC;
/// For temporary use in arithmetic coding; has no segment.
pub(super) const TEM: u8 = 0x01;
/// The first of the eight restart markers.
pub(super) const RST0: u8 = 0xD0;
/// Application data, such as EXIF.
pub(super) const APP1: u8 = 0xE1;
