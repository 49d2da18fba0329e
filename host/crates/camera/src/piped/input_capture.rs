//! An open input without a program of ours at the other end: standard input or a named pipe.

use std::time::Instant;

use super::error::InputError;
use super::image_stream::ImageStream;
use crate::error::SourceError;
use crate::source::{Capture, CaptureOutcome};
use crate::stream_mode::StreamMode;

/// An open input. Its end is an outage.
pub(super) struct InputCapture {
    pub(super) stream: ImageStream,
    /// What to do when the input has ended.
    pub(super) advice: &'static str,
}

impl Capture for InputCapture {
    fn mode(&self) -> Option<StreamMode> {
        self.stream.mode()
    }

    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError> {
        self.stream.fill([], deadline)?;
        let outcome = self.stream.take_newest();
        if outcome.image.is_some() {
            return Ok(outcome);
        }
        if self.stream.has_ended() {
            return Err(InputError::Ended { input: self.stream.name().to_owned(), advice: self.advice }.into());
        }
        self.stream.check_progress(|| None)?;
        Ok(outcome)
    }
}
