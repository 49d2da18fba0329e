//! Which images are decoded at all.

/// The most pixels of an image or picture: 4096x4096, more than the sensors of Raspberry Pi camera modules have. At
/// three bytes a pixel, a picture takes at most 48 MiB.
pub const MAX_PIXELS: u64 = 4096 * 4096;

/// The most pixels of an image whose pixels are spread over several scans: 4096x2048. The library keeps two bytes for each
/// sample of such an image until it has read all scans, and each scan costs a pass over all pixels. Cameras use one scan.
pub const MAX_MULTI_SCAN_PIXELS: u64 = 4096 * 2048;

/// The most pixels that a byte of an image can stand for. Every block of 64 pixels takes at least one bit: that of its
/// DC coefficient. An image with fewer bytes lies about its size.
pub(super) const MAX_PIXELS_PER_BYTE: u64 = 8 * 64;
