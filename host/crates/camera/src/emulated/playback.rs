//! An open emulated camera.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::folder::Folder;
use super::frame_clock::{DueFrame, FrameClock};
use super::natural_order::NaturalName;
use crate::error::SourceError;
use crate::frame::{JpegImage, Timestamp};
use crate::frame_counts::LostFrames;
use crate::source::{Capture, CaptureOutcome, CapturedImage, ImageData};
use crate::stream_mode::StreamMode;

/// Plays pictures in a loop.
pub(super) enum PictureLoop {
    Embedded { pictures: Arc<[JpegImage]>, current: Option<u64> },
    Folder { folder: Arc<Mutex<Folder>>, current: Option<NaturalName> },
}

impl PictureLoop {
    /// Returns the picture `steps` after the current one, or the first picture on the first call.
    pub(super) fn advance(&mut self, steps: u64) -> Result<JpegImage, SourceError> {
        match self {
            Self::Embedded { pictures, current } => {
                let number = current.map_or(0, |current| current.wrapping_add(steps));
                *current = Some(number);
                let index = number.checked_rem(pictures.len() as u64).and_then(|index| usize::try_from(index).ok());
                let picture = index.and_then(|index| pictures.get(index));
                picture.cloned().ok_or(SourceError::NoPictures { path: PathBuf::new(), skipped: 0 })
            }
            Self::Folder { folder, current } => {
                folder.lock().unwrap_or_else(PoisonError::into_inner).advance(current, steps)
            }
        }
    }
}

/// An open emulated camera.
pub(super) struct Playback {
    pictures: PictureLoop,
    mode: StreamMode,
    clock: FrameClock,
    /// The number of the last frame returned.
    last: u64,
    is_paused: Arc<AtomicBool>,
}

impl Playback {
    /// Starts to play at `rate` frames per second, greater than 0.
    pub(super) fn start(mut pictures: PictureLoop, rate: f64, is_paused: Arc<AtomicBool>) -> Result<Self, SourceError> {
        let first = pictures.advance(0)?;
        Ok(Self {
            pictures,
            mode: StreamMode { dimensions: first.dimensions, rate: Some(rate), format: None, quality: None },
            clock: FrameClock::start(rate),
            last: 0,
            is_paused,
        })
    }
}

impl Capture for Playback {
    fn mode(&self) -> Option<StreamMode> {
        Some(self.mode)
    }

    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError> {
        let Some(DueFrame { number, late }) = self.clock.wait(deadline) else { return Ok(CaptureOutcome::default()) };
        let steps = if self.is_paused.load(Ordering::Relaxed) { 0 } else { number - self.last };
        self.last = number;
        let image = self.pictures.advance(steps)?;
        let image = CapturedImage { data: ImageData::Jpeg(image), timestamp: Timestamp::now() };
        Ok(CaptureOutcome { image: Some(image), lost: LostFrames { late, ..LostFrames::default() } })
    }
}
