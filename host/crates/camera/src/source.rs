//! What every kind of camera is to the rest of the host.

use std::fmt;
use std::time::Instant;

use tokio::sync::watch;

use super::controls::{Control, ControlError, find};
use super::dimensions::Dimensions;
use super::error::SourceError;
use super::fourcc::FourCc;
use super::frame::{JpegImage, Timestamp};
use super::raw::Layout;
use super::status::LostFrames;

/// A camera that can be opened, again and again.
///
/// A new kind of camera implements this and [`Capture`], and gets a word in the host's `config::camera_spec`.
pub trait Source: Send + Sync + 'static {
    /// One line for a person: what it is and where.
    fn description(&self) -> String;

    /// Open the camera and start its stream. Blocks for as long as the device takes (a USB camera: up to a
    /// second or two), so it is called on the capture thread.
    fn open(&self) -> Result<Box<dyn Capture>, SourceError>;

    /// Changes whenever it is worth trying at once to open a camera that failed; none where nothing tells.
    fn arrivals(&self) -> Option<watch::Receiver<()>> {
        None
    }

    /// What can be set on it. Blocks as [`open`](Self::open) does, whether the camera is open or not.
    fn controls(&self) -> Result<Vec<Control>, SourceError> {
        Ok(Vec::new())
    }

    /// Set the control of this name, now and at each opening from now on. Returns what the device made of the value.
    /// Blocks as [`open`](Self::open) does, whether the camera is open or not.
    fn set_control(&self, name: &str, _value: i64) -> Result<i64, ControlError> {
        find(&[], name).map(|_| 0)
    }
}

/// An open camera. Dropping it closes the device.
pub trait Capture: Send {
    /// What the device agreed to, which need not be what was asked for.
    fn mode(&self) -> StreamMode;

    /// Wait for the next image, but not beyond `deadline`.
    ///
    /// Where several are waiting, the newest is returned and the others count as late. An error ends this opening
    /// of the camera; it is then dropped.
    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError>;
}

/// How an open camera streams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamMode {
    /// The size of its pictures.
    pub dimensions: Dimensions,
    /// Frames per second, greater than 0; none where the device does not say.
    pub rate: Option<f64>,
    /// The device's pixel format; none where there is no device.
    pub format: Option<FourCc>,
    /// How good the pictures are that are made of raw images, from 1 to 100 as encoders count; none where they are
    /// passed on as they are.
    pub quality: Option<u8>,
}

impl fmt::Display for StreamMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dimensions)?;
        if let Some(rate) = self.rate {
            // Two decimals for 29.97; none for 30.
            write!(f, ", {} fps", (rate * 100.0).round() / 100.0)?;
        }
        if let Some(format) = self.format {
            write!(f, ", {format}")?;
        }
        Ok(())
    }
}

/// What [`Capture::next`] came to.
#[derive(Debug, Default)]
pub struct CaptureOutcome {
    /// The image; none if there was none in time, or none that was whole.
    pub image: Option<CapturedImage>,
    /// The frames before it, since the last call, that nobody can see.
    pub lost: LostFrames,
}

/// An image, and when the device took it.
#[derive(Debug)]
pub struct CapturedImage {
    /// What it consists of.
    pub content: ImageData,
    /// When the device took it.
    pub timestamp: Timestamp,
}

/// What an image consists of.
#[derive(Debug)]
pub enum ImageData {
    /// A picture, ready to be shown.
    Jpeg(JpegImage),
    /// Pixels, to be made a picture of if somebody wants to see it.
    Raw(RawImage),
}

/// Pixels as the sensor gave them.
#[derive(Debug)]
pub struct RawImage {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What they mean.
    pub layout: Layout,
    /// How good the picture shall be, from 1 to 100 as encoders count.
    pub quality: u8,
}
