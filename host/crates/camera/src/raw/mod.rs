//! Raw camera frames into JPEG images.
//!
//! Many cameras deliver plain pixels instead of JPEG. [`PixelFormat`] says what the pixels are, [`Layout`] how a frame
//! lies in memory, and [`Encoder`] turns one frame after the other into baseline JPEG images.
//!
//! A JPEG holds luma and chroma just as most raw formats do, so frames are never taken through RGB. Two things do
//! change on the way:
//!
//! - JFIF wants BT.601 levels over the full range 0 to 255 (ITU-T T.871), so [`Range::Limited`] frames are stretched.
//!   Only the range is converted: BT.709 chroma is taken as BT.601, since the difference is a slight shift of hue.
//! - Chroma is stored at half width and half height (4:2:0), whatever the source had. For 4:2:2 sources this saves
//!   about a quarter of the time and a sixth of the bytes; every two rows are averaged, so nothing is skipped.
//!
//! ```
//! use hotshoe_camera::dimensions::Dimensions;
//! use hotshoe_camera::raw::{Encoder, Layout, PixelFormat, Range};
//!
//! let format = PixelFormat::from_code(*b"YUYV").ok_or("not a raw format")?;
//! let dimensions = Dimensions { width: 64, height: 48 };
//! let layout = Layout { format, dimensions, stride: 128, range: Range::Limited };
//! let mut encoder = Encoder::new(layout, 80)?;
//! let jpeg = encoder.encode(&vec![128; layout.frame_length()])?;
//! assert!(jpeg.starts_with(&[0xFF, 0xD8]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod encode;
mod format;
mod jfif;
mod layout;
mod levels;
mod rows;
#[cfg(test)]
mod tests;

pub use encode::{EncodeError, Encoder};
pub use format::PixelFormat;
pub use layout::{Layout, Range};
