//! Is this a whole JPEG image, and how large is its picture?
//!
//! Cheap webcams send truncated, empty, damaged and mislabelled buffers, and some leave out what every decoder
//! has anyway. A viewer must never see the former, and must get the latter completed. Four steps, from cheap
//! to dear, none of which decodes a pixel:
//!
//! - [`find_image`] finds the image in a driver's buffer, where it may begin late or twice.
//! - [`validate`] walks the segments from the start of the image to the first scan, and finds its end.
//! - [`ScanChecker`] walks the Huffman codes of the scan: are all blocks of the picture there, and nothing else?
//! - [`copy_complete`] copies the image out of the driver's buffer, with the Huffman tables and the end marker put
//!   in where the camera left them out.
//!
//! Section numbers in the comments are those of ITU-T T.81.

mod bits;
mod headers;
mod huffman;
mod locate;
mod scan;
mod tables;
mod validate;

pub use headers::{Component, Definition, Headers};
pub use locate::{check_image, find_image};
pub use scan::{SLACK, ScanChecker, check_scan};
pub use tables::copy_complete;
pub use validate::{ImageInfo, JpegError, MIN_LENGTH, Options, validate};

const MARKER: u8 = 0xFF;
const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DQT: u8 = 0xDB;
const DRI: u8 = 0xDD;
const DHT: u8 = 0xC4;
const JPG: u8 = 0xC8;
const DAC: u8 = 0xCC;
const TEM: u8 = 0x01;
const RST0: u8 = 0xD0;
