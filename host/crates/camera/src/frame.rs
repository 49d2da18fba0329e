//! One image of a camera: immutable, and shared by reference from the capture thread to the sockets.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};

use super::dimensions::Dimensions;
use super::jpeg::{self, JpegError, Options};

/// The same moment by two clocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timestamp {
    /// Time since boot by `CLOCK_MONOTONIC`, the clock that V4L2 drivers stamp their buffers with. Guests
    /// see this very clock as `wasi:clocks/monotonic-clock`.
    pub monotonic: Duration,
    /// The time of day.
    pub wall: SystemTime,
}

impl Timestamp {
    /// This moment.
    pub fn now() -> Self {
        Self { monotonic: monotonic_now(), wall: SystemTime::now() }
    }

    /// The moment at which `CLOCK_MONOTONIC` showed `monotonic`. A time in the future, which only a broken
    /// driver reports, is taken as now.
    pub fn at(monotonic: Duration) -> Self {
        let now = Self::now();
        match now.monotonic.checked_sub(monotonic) {
            Some(age) => Self { monotonic, wall: now.wall.checked_sub(age).unwrap_or(now.wall) },
            None => now,
        }
    }
}

/// The reading of `CLOCK_MONOTONIC`.
pub fn monotonic_now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    // Since boot, thus neither part is negative.
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// A whole JPEG image as it came from a source, before its camera numbers it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JpegImage {
    /// The image: from its start-of-image to its end-of-image marker, and nothing else.
    pub bytes: Bytes,
    /// The size that the image's frame header states.
    pub dimensions: Dimensions,
}

impl JpegImage {
    /// Take `jpeg` as a picture, if it is a whole JPEG image. Padding after the image is cut off, and Huffman tables are
    /// put in where they were left out.
    ///
    /// This is the only way to make one, so whatever has the type can be shown to a viewer.
    pub fn new(mut jpeg: Bytes) -> Result<Self, JpegError> {
        let whole = jpeg::validate(&jpeg, Options::default())?;
        if whole.is_complete() {
            jpeg.truncate(whole.length);
        } else {
            jpeg = jpeg::copy_complete(&jpeg, &whole);
        }
        Ok(Self { bytes: jpeg, dimensions: whole.dimensions })
    }
}

/// One image of one camera.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The image.
    pub image: JpegImage,
    /// When it was captured.
    pub timestamp: Timestamp,
    /// Its number: grows for as long as the host runs, also across reopening; gaps are frames lost at the device.
    pub sequence: u64,
}
