//! What every source does with JPEG images that others produce: checks them, keeps the newest, counts the others, and
//! notices when none arrive.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::debug;

use super::frame::{JpegImage, Timestamp};
use super::frame_counts::LostFrames;
use super::frame_sampling::FrameSampling;
use super::image_checker::ImageChecker;
use super::jpeg::{JpegError, Options};
use super::source::{CaptureOutcome, CapturedImage, ImageData};
use super::stall::stall_timeout;
use super::stream_mode::StreamMode;

/// How long the first image may take: network cameras wait for a key frame, and some devices need seconds to wake up.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// What applies to every input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InputOptions {
    /// The frame rate to expect, in frames per second, greater than 0.
    pub rate: Option<f64>,
    /// Accepts JPEG images without an end marker.
    pub allow_truncated: bool,
}

/// What belongs to a camera and outlasts an opening.
#[derive(Clone, Debug, Default)]
pub struct InputState {
    pub(crate) options: InputOptions,
    sampling: Arc<Mutex<FrameSampling>>,
}

impl InputState {
    /// The state of a camera with these options that was never opened.
    pub fn new(options: InputOptions) -> Self {
        Self { options, sampling: Arc::default() }
    }
}

/// No image for too long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Silence {
    /// How long no image arrived.
    pub after: Duration,
    /// How many damaged images arrived meanwhile.
    pub damaged: u64,
}

/// The newest image of one opening of a camera. Never holds more than one.
pub struct NewestImage {
    /// For messages.
    name: String,
    checker: ImageChecker,
    rate: Option<f64>,
    mode: Option<StreamMode>,
    /// The newest whole image that was not taken, and when it was captured.
    newest: Option<(JpegImage, Timestamp)>,
    /// Frames lost that were not reported.
    lost: LostFrames,
    /// When the last image was taken, or the camera was opened.
    last_image: Instant,
    /// Damaged images since then.
    damaged_since: u64,
}

impl NewestImage {
    /// Starts an opening of the camera to which `state` belongs. Messages call the camera `name`.
    pub fn new(name: String, state: &InputState) -> Self {
        let InputState { options, sampling } = state;
        let checks = Options { allow_truncated: options.allow_truncated };
        Self {
            name,
            checker: ImageChecker::new(checks, sampling.clone()),
            rate: options.rate,
            mode: None,
            newest: None,
            lost: LostFrames::default(),
            last_image: Instant::now(),
            damaged_since: 0,
        }
    }

    /// What messages call the camera.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The mode, which is known with the first image.
    pub fn mode(&self) -> Option<StreamMode> {
        self.mode
    }

    /// Whether there is an image to take. It may turn out to be damaged.
    pub fn is_available(&self) -> bool {
        self.newest.is_some()
    }

    /// Replaces the newest image by these bytes if they are a whole JPEG image, and counts them as malformed if not.
    /// Costs only a search for the end of the image. Its data is checked when it is taken.
    pub fn push(&mut self, bytes: Bytes, captured: Timestamp) -> Result<(), JpegError> {
        match self.checker.complete(bytes) {
            Ok(image) => {
                let replaced = self.newest.replace((image, captured));
                self.lost.late += u64::from(replaced.is_some());
                Ok(())
            }
            Err(error) => {
                self.note_malformed(&error.to_string());
                Err(error)
            }
        }
    }

    /// Counts something that is not a whole image. `reason` is for the debug log.
    pub fn note_malformed(&mut self, reason: &str) {
        debug!("{}: dropped an image: {reason}", self.name);
        self.checker.note_damage();
        self.lost.malformed += 1;
        self.damaged_since += 1;
    }

    /// Forgets the newest image, and what was lost.
    pub(crate) fn discard(&mut self) {
        self.newest = None;
        self.lost = LostFrames::default();
    }

    /// Takes the newest image, unless its data is damaged, and the frames lost before it.
    pub fn take(&mut self) -> CaptureOutcome {
        let checked = self.newest.take().and_then(|(image, timestamp)| match self.checker.check_data(&image) {
            Ok(()) => Some((image, timestamp)),
            Err(error) => {
                debug!("{}: dropped an image: {error}", self.name);
                self.lost.corrupt += 1;
                self.damaged_since += 1;
                None
            }
        });
        if let Some((image, _)) = &checked {
            let dimensions = image.dimensions;
            self.mode = Some(StreamMode { dimensions, rate: self.rate, format: None, quality: None });
            self.last_image = Instant::now();
            self.damaged_since = 0;
        }
        let lost = std::mem::take(&mut self.lost);
        let captured = |(image, timestamp)| CapturedImage { data: ImageData::Jpeg(image), timestamp };
        CaptureOutcome { image: checked.map(captured), lost }
    }

    /// Discards the newest image, which is late then, and returns the frames lost since the last one was taken.
    pub fn take_lost(&mut self) -> LostFrames {
        self.lost.late += u64::from(self.newest.take().is_some());
        std::mem::take(&mut self.lost)
    }

    /// Whether no image was taken for too long.
    pub fn silence(&self) -> Option<Silence> {
        let stalled_after = stall_timeout(self.rate);
        let after = if self.mode.is_some() { stalled_after } else { stalled_after.max(START_TIMEOUT) };
        (self.last_image.elapsed() > after).then_some(Silence { after, damaged: self.damaged_since })
    }
}
