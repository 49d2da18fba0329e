//! Encodes raw camera frames as JPEG images.
//!
//! Many cameras deliver raw pixels instead of JPEG. [`PixelFormat`] identifies the pixels, [`Layout`] describes a frame
//! in memory, [`BufferLayout`] copies one out of a driver's buffers, and [`Encoder`] encodes frames as baseline JPEG
//! images.
//!
//! Like most raw formats, JPEG stores luma and chroma, so frames are never converted to RGB. Two things change:
//!
//! - JFIF requires full-range BT.601 (ITU-T T.871), so [`Range::Limited`] frames are stretched. BT.709 chroma is taken
//!   as BT.601, which shifts the hue slightly.
//! - Chroma is stored with half the width and height (4:2:0) for every source. For 4:2:2 sources this saves about a
//!   quarter of the time and a sixth of the bytes. Each stored value is the mean of two rows, so no row is lost.
//!
//! The steps for each unit of 16 by 16 pixels: `mcus` rearranges bytes to blocks of samples, and `baseline` transforms,
//! quantizes and writes them. All but the last process 8 or 16 samples at once.
//!
//! ```
//! use hotshoe_camera::dimensions::Dimensions;
//! use hotshoe_camera::raw::{Encoder, Layout, PixelFormat, Range};
//!
//! let format = PixelFormat::from_code(*b"YUYV").ok_or("unsupported format")?;
//! let dimensions = Dimensions { width: 64, height: 48 };
//! let layout = Layout { format, dimensions, stride: 128, range: Range::Limited };
//! let mut encoder = Encoder::new(layout, 80)?;
//! let jpeg = encoder.encode(&vec![128; layout.frame_length()])?;
//! assert!(jpeg.starts_with(&[0xFF, 0xD8]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bands;
mod baseline;
mod buffers;
mod conversion;
mod encode;
mod format;
mod layout;
mod mcus;
mod samples;
#[cfg(test)]
mod tests;

pub use buffers::{BufferLayout, MAX_PLANES, ShortBuffer};
pub use encode::{EncodeError, Encoder};
pub use format::PixelFormat;
pub use layout::{Layout, Range};
