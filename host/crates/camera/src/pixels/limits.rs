//! Which images are decoded at all.

use super::error::DecodeError;
use crate::dimensions::Dimensions;

/// The most pixels of an image or picture: 4096x4096, more than the sensors of Raspberry Pi camera modules have. At
/// three bytes a pixel, a picture takes at most 48 MiB.
pub const MAX_PIXELS: u64 = 4096 * 4096;

/// The most pixels that a byte of an image can stand for. Every block of 64 pixels takes at least one bit: that of its
/// DC coefficient. An image with fewer bytes lies about its size.
const MAX_PIXELS_PER_BYTE: u64 = 8 * 64;

/// Checks the size of an image of `length` bytes before anything is allocated for its pixels.
pub(super) fn check(size: Dimensions, length: usize) -> Result<(), DecodeError> {
    let pixels = u64::from(size.width) * u64::from(size.height);
    if pixels > MAX_PIXELS {
        return Err(DecodeError::TooLarge(size));
    }
    if pixels > (length as u64).saturating_mul(MAX_PIXELS_PER_BYTE) {
        return Err(DecodeError::TooShort(size));
    }
    Ok(())
}
