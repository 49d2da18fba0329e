//! Decodes images to pixels, and encodes pixels.
//!
//! A [`Decoder`] turns a [`JpegImage`](crate::JpegImage) into a [`Picture`] at full size or reduced by 2, 4 or 8. Every
//! reduced pixel is the mean of a square of full ones. At 1/8, a square is a block of the JPEG, and its mean is the
//! block's DC coefficient (ITU-T T.81, A.3.3). The walk of [`ScanChecker`](crate::jpeg::ScanChecker) passes all of
//! them, so nothing is transformed.
//!
//! For 1280x720 and 150 kB, 1/8 takes 0.7 ms of a processor and full size 3 ms; see `docs/benchmarks.md`.
//!
//! - `scale`, `format`: what to decode to.
//! - `picture`: the pixels, which can be changed and encoded.
//! - `limits`: which images are decoded at all.
//! - `eighth`: decodes at 1/8 from DC coefficients. `full`: decodes with a library. `shrink`: reduces pixels.
//!   `turn`: turns them as EXIF data ask for.
//! - `decoder`: chooses between them.

mod decoder;
mod eighth;
mod error;
mod format;
mod full;
mod limits;
mod picture;
mod scale;
mod shrink;
#[cfg(test)]
mod tests;
mod turn;

pub use decoder::Decoder;
pub use error::{DecodeError, PictureError};
pub use format::Format;
pub use limits::{MAX_MULTI_SCAN_PIXELS, MAX_PIXELS};
pub use picture::{Area, Picture};
pub use scale::Scale;
