//! Standard input as a camera.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::fs::{FileType, fstat};

use super::error::InputError;
use super::image_stream::ImageStream;
use super::input_capture::InputCapture;
use crate::error::SourceError;
use crate::image_input::{InputOptions, InputState};
use crate::source::{Capture, Source};

/// What messages call it.
const NAME: &str = "standard input";

/// A camera whose images arrive at the standard input of this process. There can be only one.
///
/// Standard input stays open when the camera is closed, so the program at the other end waits.
#[derive(Debug, Default)]
pub struct StandardInput {
    state: InputState,
    has_been_open: AtomicBool,
}

impl StandardInput {
    /// Reads standard input. Reads nothing yet.
    pub fn new(options: InputOptions) -> Self {
        Self { state: InputState::new(options), has_been_open: AtomicBool::new(false) }
    }
}

impl Source for StandardInput {
    fn description(&self) -> String {
        NAME.to_owned()
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Err(InputError::Terminal.into());
        }
        let failed = |source| InputError::Read { input: NAME.to_owned(), source };
        let input = stdin.as_fd().try_clone_to_owned().map_err(failed)?;
        let is_file = fstat(&input).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
        let mut stream = ImageStream::new(NAME.to_owned(), input, &self.state);
        if self.has_been_open.swap(true, Ordering::Relaxed) && !is_file {
            // What has waited since the camera was closed is old, and so is the image that is still being written. A
            // whole image tells the mode, though.
            stream.fill([], Instant::now())?;
            stream.take_newest();
            stream.discard();
        }
        Ok(Box::new(InputCapture { stream, advice: "start hotshoe again with a program that keeps writing" }))
    }
}
