//! How an open camera streams.

use std::fmt;

use super::dimensions::Dimensions;
use super::fourcc::FourCc;

/// How an open camera streams, as negotiated with the device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamMode {
    /// The size of the pictures.
    pub dimensions: Dimensions,
    /// The frame rate in frames per second, greater than 0. `None` if the device does not report it.
    pub rate: Option<f64>,
    /// The pixel format. `None` without a device.
    pub format: Option<FourCc>,
    /// The quality with which raw images are encoded, from 1 to 100. `None` if the camera delivers JPEG.
    pub quality: Option<u8>,
}

/// Formats as `640x480, 30 fps, MJPG`.
impl fmt::Display for StreamMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dimensions)?;
        if let Some(rate) = self.rate {
            // Two decimals for 29.97, none for 30.
            write!(f, ", {} fps", (rate * 100.0).round() / 100.0)?;
        }
        if let Some(format) = self.format {
            write!(f, ", {format}")?;
        }
        Ok(())
    }
}
