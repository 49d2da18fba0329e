//! A frame: one image of a camera, immutable and shared by reference from the capture thread to the sockets.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};

use super::dimensions::Dimensions;
use super::jpeg::{self, ImageInfo, JpegError, Options};
use super::orientation::Orientation;

/// A point in time, by two clocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timestamp {
    /// The time since boot by `CLOCK_MONOTONIC`, the clock of V4L2 buffer timestamps and of guests'
    /// `wasi:clocks/monotonic-clock`.
    pub monotonic: Duration,
    /// The time of day.
    pub wall: SystemTime,
}

impl Timestamp {
    /// Reads both clocks.
    pub fn now() -> Self {
        Self { monotonic: monotonic_now(), wall: SystemTime::now() }
    }

    /// Converts a reading of `CLOCK_MONOTONIC`. A time in the future, which only a broken driver reports, becomes the
    /// present.
    pub fn from_monotonic(monotonic: Duration) -> Self {
        let now = Self::now();
        match now.monotonic.checked_sub(monotonic) {
            Some(age) => Self { monotonic, wall: now.wall.checked_sub(age).unwrap_or(now.wall) },
            None => now,
        }
    }
}

/// Reads `CLOCK_MONOTONIC`.
pub fn monotonic_now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    // Counted from boot, so neither part is negative.
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// A complete JPEG image from a source, without a sequence number.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JpegImage {
    /// The bytes from the start-of-image marker to the end-of-image marker.
    pub bytes: Bytes,
    /// The size in the frame header.
    pub dimensions: Dimensions,
}

impl JpegImage {
    /// Validates `bytes`, removes padding after the image, and adds omitted Huffman tables.
    ///
    /// This and a copy of a valid image are the only constructors, so every value of this type can be sent to viewers.
    pub fn new(mut bytes: Bytes) -> Result<Self, JpegError> {
        let info = jpeg::validate(&bytes, Options::default())?;
        if info.is_complete() {
            bytes.truncate(info.length);
        } else {
            bytes = jpeg::copy_complete(&bytes, &info);
        }
        Ok(Self { bytes, dimensions: info.dimensions })
    }

    /// Copies the image that [`jpeg::validate`] found in `bytes`, with what it lacks, and marks it to be turned (see
    /// [`jpeg::copy_turned`]). Validates the copy only if it differs from the original.
    pub(crate) fn copy(bytes: &[u8], info: &ImageInfo, orientation: Orientation) -> Result<Self, JpegError> {
        let copy = jpeg::copy_turned(bytes, info, orientation);
        if info.is_complete() && orientation.is_upright() {
            return Ok(Self { bytes: copy, dimensions: info.dimensions });
        }
        Self::new(copy)
    }

    /// Returns a copy that decoders turn (see [`jpeg::copy_turned`]), or the image itself if pictures stay as they are.
    /// The dimensions remain those in the frame header.
    pub fn turned(self, orientation: Orientation) -> Self {
        if orientation.is_upright() {
            return self;
        }
        // The image was validated when it was created.
        match jpeg::validate(&self.bytes, Options::default()) {
            Ok(info) => Self { bytes: jpeg::copy_turned(&self.bytes, &info, orientation), ..self },
            Err(_) => self,
        }
    }
}

/// One frame of one camera.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The image.
    pub image: JpegImage,
    /// When it was captured.
    pub timestamp: Timestamp,
    /// Increases for as long as the host runs, even when the camera is reopened. Gaps are lost frames.
    pub sequence: u64,
}
