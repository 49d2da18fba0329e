//! Checks the JPEG images of a camera.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::frame::JpegImage;
use super::frame_sampling::FrameSampling;
use super::jpeg::{self, JpegError, Options, ScanChecker};

/// Checks the images of one opening of a camera, in two steps.
#[derive(Default)]
pub(crate) struct ImageChecker {
    options: Options,
    checker: ScanChecker,
    /// Belongs to the camera, because it must outlast this opening.
    sampling: Arc<Mutex<FrameSampling>>,
}

impl ImageChecker {
    /// Creates the checker for an opening of the camera to which `sampling` belongs.
    pub(crate) fn new(options: Options, sampling: Arc<Mutex<FrameSampling>>) -> Self {
        sampling.lock().unwrap_or_else(PoisonError::into_inner).note_opening();
        Self { options, sampling, ..Self::default() }
    }

    /// What images may lack.
    pub(crate) fn options(&self) -> Options {
        self.options
    }

    /// Checks that `bytes` are a whole image, and completes it. Costs only a search for its end, unless the camera
    /// omits parts of its images.
    pub(crate) fn complete(&self, bytes: Bytes) -> Result<JpegImage, JpegError> {
        let complete = || {
            let info = jpeg::validate(&bytes, self.options)?;
            let whole = if info.lacks_end { jpeg::copy_complete(&bytes, &info) } else { bytes.clone() };
            JpegImage::new(whole)
        };
        complete().inspect_err(|_| self.note_damage())
    }

    /// Checks the entropy-coded data of an image if the camera's [`FrameSampling`] selects it.
    pub(crate) fn check_data(&mut self, image: &JpegImage) -> Result<(), JpegError> {
        let Self { checker, sampling, .. } = self;
        let mut sampling = sampling.lock().unwrap_or_else(PoisonError::into_inner);
        sampling.apply(|| {
            let info = jpeg::validate(&image.bytes, Options::default())?;
            checker.check(&image.bytes, &info)
        })
    }

    /// Records that something other than a whole image arrived.
    pub(crate) fn note_damage(&self) {
        self.sampling.lock().unwrap_or_else(PoisonError::into_inner).note_damage();
    }
}
