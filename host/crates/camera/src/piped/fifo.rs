//! A named pipe as a camera.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;

use super::error::InputError;
use super::image_stream::{ImageStream, InputOptions, InputState};
use crate::error::SourceError;
use crate::source::{Capture, CaptureOutcome, Source};
use crate::stream_mode::StreamMode;

/// A camera whose images another program writes to a named pipe (fifo(7)).
///
/// The pipe is open only while the camera is, so programs that write to it wait for readers.
#[derive(Debug)]
pub struct Fifo {
    path: PathBuf,
    state: InputState,
}

impl Fifo {
    /// Reads the named pipe at `path`. Does not open it yet.
    pub fn new(path: &Path, options: InputOptions) -> Self {
        Self { path: path.to_owned(), state: InputState::new(options) }
    }

    fn open_pipe(&self) -> Result<Reading, InputError> {
        let path = || self.path.clone();
        let name = self.path.display().to_string();
        // Without O_NONBLOCK, this would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let input = open(&self.path, flags, Mode::empty()).map_err(|error| match error {
            Errno::NOENT => InputError::PipeNotFound { path: path() },
            // A socket, or a device without a driver.
            Errno::NXIO | Errno::NODEV => InputError::NotPipe { path: path() },
            error => InputError::Read { input: name.clone(), source: error.into() },
        })?;
        let stat = fstat(&input).map_err(io::Error::from);
        let stat = stat.map_err(|source| InputError::Read { input: name.clone(), source })?;
        if !FileType::from_raw_mode(stat.st_mode).is_fifo() {
            return Err(InputError::NotPipe { path: path() });
        }
        Ok(Reading { stream: ImageStream::new(name.clone(), input, &self.state), name })
    }
}

impl Source for Fifo {
    fn description(&self) -> String {
        format!("the named pipe {}", self.path.display())
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        Ok(Box::new(self.open_pipe()?))
    }
}

/// An open named pipe.
struct Reading {
    stream: ImageStream,
    name: String,
}

impl Capture for Reading {
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
            let advice = "start the program that writes to it";
            return Err(InputError::Ended { input: self.name.clone(), advice }.into());
        }
        self.stream.check_progress(|| None)?;
        Ok(outcome)
    }
}
