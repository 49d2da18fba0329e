//! A named pipe as a camera.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;

use super::error::InputError;
use super::image_stream::ImageStream;
use super::input_capture::InputCapture;
use crate::error::SourceError;
use crate::image_input::{InputOptions, InputState};
use crate::source::{Capture, Source};

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

    fn open_pipe(&self) -> Result<InputCapture, InputError> {
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
        let stream = ImageStream::new(name, input, &self.state);
        Ok(InputCapture { stream, advice: "start the program that writes to it" })
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
