//! The interface of every kind of camera.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::controls::{Control, ControlError, find};
use super::error::SourceError;
use super::frame::{JpegImage, Timestamp};
use super::frame_counts::LostFrames;
use super::orientation::Orientation;
use super::raw::Layout;
use super::status::Outage;
use super::stream_mode::StreamMode;

/// See [`Source::max_retry_delay`].
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

/// A camera that can be opened repeatedly.
///
/// To add a kind of camera, implement this trait and [`Capture`], and add a keyword to the host's
/// `config::camera_spec`.
pub trait Source: Send + Sync + 'static {
    /// Describes the camera in a single line for people: what it is and where.
    fn description(&self) -> String;

    /// Opens the camera and starts its stream. Called on the capture thread, because it blocks for as long as the
    /// device takes: up to two seconds for a USB camera.
    fn open(&self) -> Result<Box<dyn Capture>, SourceError>;

    /// A receiver that changes when a failed camera should be retried at once, such as when a device is plugged in.
    /// `None` if the source has no such notification.
    fn hotplug_events(&self) -> Option<watch::Receiver<()>> {
        None
    }

    /// The longest delay before a failed camera is opened again. The first delay is at most a second, and each is twice
    /// as long as the one before.
    ///
    /// By default five seconds, because opening a broken device may keep its bus busy.
    fn max_retry_delay(&self) -> Duration {
        MAX_RETRY_DELAY
    }

    /// Lists the controls with their present values. Works whether the camera is open or not, and blocks like
    /// [`open`](Self::open).
    fn controls(&self) -> Result<Vec<Control>, SourceError> {
        Ok(Vec::new())
    }

    /// Sets a control now and whenever the camera is opened. Returns the value that the device accepted. Works whether
    /// the camera is open or not, and blocks like [`open`](Self::open).
    fn set_control(&self, name: &str, _value: i64) -> Result<i64, ControlError> {
        find(&[], name).map(|_| 0)
    }

    /// Gives up what other cameras may need, because the camera was removed. It may still be open for a moment, and
    /// readers may keep the source alive much longer. Must not block.
    fn release(&self) {}
}

/// An open camera. Dropping it closes the device.
pub trait Capture: Send {
    /// The present mode, which may differ from the requested one. `None` if the source learns it from its first image,
    /// and that has not arrived.
    fn mode(&self) -> Option<StreamMode>;

    /// Waits for the next image until `deadline`.
    ///
    /// If several images are waiting, returns the newest and counts the others as late. After an error the camera must
    /// be dropped and opened again.
    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError>;

    /// The number that the source gave to the last image. `None` if it numbers none.
    ///
    /// The image gets this number, unless the numbers so far are as high or it is above 2^52. So frames keep their number
    /// when one host is the camera of another.
    fn source_sequence(&self) -> Option<u64> {
        None
    }

    /// Whether the source asks for each image, at the requested rate. Then none may be left out because it comes early: the
    /// source may not get the same image again.
    fn is_polling(&self) -> bool {
        false
    }

    /// Why the source has no pictures although it works, after a call of [`next`](Self::next) without an image. The
    /// source stays open, and delivers images once the outage is over.
    fn outage(&self) -> Option<&Outage> {
        None
    }
}

/// The result of [`Capture::next`].
#[derive(Debug, Default)]
pub struct CaptureOutcome {
    /// The image. `None` if none arrived in time, or none was complete.
    pub image: Option<CapturedImage>,
    /// Frames lost since the previous call, before this image.
    pub lost: LostFrames,
}

/// A captured image.
#[derive(Debug)]
pub struct CapturedImage {
    /// The image data.
    pub data: ImageData,
    /// When the device captured it.
    pub timestamp: Timestamp,
}

/// The data of a captured image.
#[derive(Debug)]
pub enum ImageData {
    /// A JPEG image, ready for viewers.
    Jpeg(JpegImage),
    /// Raw pixels, which are encoded if the camera has readers.
    Raw(RawImage),
}

/// Raw pixels.
#[derive(Debug)]
pub struct RawImage {
    /// The pixels.
    pub bytes: Vec<u8>,
    /// How the pixels are arranged.
    pub layout: Layout,
    /// The JPEG quality to encode with, from 1 to 100.
    pub quality: u8,
    /// How decoders are to turn the encoded image.
    pub orientation: Orientation,
}
