//! The second bytes of JPEG markers (table B.1).

/// The first byte of every marker.
pub(crate) const MARKER: u8 = 0xFF;
/// Start of image.
pub(crate) const SOI: u8 = 0xD8;
/// End of image.
pub(crate) const EOI: u8 = 0xD9;
/// Start of scan.
pub(crate) const SOS: u8 = 0xDA;
/// Define quantization tables.
pub(crate) const DQT: u8 = 0xDB;
/// Define restart interval.
pub(crate) const DRI: u8 = 0xDD;
/// Define Huffman tables.
pub(crate) const DHT: u8 = 0xC4;
/// Reserved for extensions; among the start-of-frame markers, but not one.
pub(crate) const JPG: u8 = 0xC8;
/// Define arithmetic coding; among the start-of-frame markers, but not one.
pub(crate) const DAC: u8 = 0xCC;
/// For temporary use in arithmetic coding; has no segment.
pub(crate) const TEM: u8 = 0x01;
/// The first of the eight restart markers.
pub(crate) const RST0: u8 = 0xD0;
/// Application data, such as EXIF.
pub(crate) const APP1: u8 = 0xE1;
