//! The emulated camera: plays JPEG files in a loop, or draws a test pattern. For development, tests and machines
//! without a camera.
//!
//! * `playback`: the open camera; `frame_clock`: when frames are due; `folder`: the pictures of a folder, kept up to
//!   date.
//! * `file`: reads a picture and notices changes; `natural_order`: the order of the files.
//! * `test_pattern`: pictures with the time and the frame number.

mod file;
mod folder;
mod frame_clock;
mod natural_order;
mod playback;
mod test_pattern;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tracing::warn;

use self::folder::{Folder, MAX_FOLDER_BYTES};
use self::playback::{PictureLoop, Playback};
pub use self::test_pattern::TestPattern;
use super::controls::{Control, ControlError, ControlKind, find};
use super::error::SourceError;
use super::frame::JpegImage;
use super::source::{Capture, Source};

/// The default frame rate in frames per second: slow enough to see each picture.
pub const DEFAULT_RATE: f64 = 1.0;

/// The pictures in `frames/`, embedded so that the program needs no files.
pub(crate) static EMBEDDED: [&[u8]; 3] = [
    include_bytes!("../../../../../frames/1.jpg"),
    include_bytes!("../../../../../frames/2.jpg"),
    include_bytes!("../../../../../frames/3.jpg"),
];

/// The name of the only control, which lets users try controls without a camera.
const PAUSE: &str = "pause";

/// A camera that plays pictures in a loop.
#[derive(Debug)]
pub struct Emulated {
    pictures: Pictures,
    /// Frames per second, greater than 0.
    rate: f64,
    /// Whether the picture stays the same. Shared with each [`Playback`].
    is_paused: Arc<AtomicBool>,
}

/// Where the pictures come from.
#[derive(Debug)]
enum Pictures {
    Embedded(Arc<[JpegImage]>),
    Folder {
        path: PathBuf,
        /// Shared with each [`Playback`]. Only capture threads lock it, because it stays locked while the disk is read.
        folder: Arc<Mutex<Folder>>,
        /// The number of pictures.
        length: Arc<AtomicUsize>,
    },
}

impl Emulated {
    /// Plays the three embedded pictures at `rate` frames per second, greater than 0.
    pub fn embedded(rate: f64) -> Self {
        // A test checks that all of them are valid.
        let pictures = EMBEDDED.iter().filter_map(|jpeg| JpegImage::new(Bytes::from_static(jpeg)).ok()).collect();
        Self { pictures: Pictures::Embedded(pictures), rate, is_paused: Arc::default() }
    }

    /// Plays the JPEG files in the folder `path` in the natural order of their names, at `rate` frames per second,
    /// greater than 0. Notices changes in the folder while playing.
    ///
    /// Reads the files, so it blocks for as long as the disk takes. Only logs a warning if the folder is missing or has
    /// no picture, because it is read again whenever the camera is opened.
    pub fn from_folder(path: &Path, rate: f64) -> Self {
        let mut folder = Folder::new(path, MAX_FOLDER_BYTES);
        if let Err(error) = folder.refresh() {
            warn!("{error} (retrying while it has viewers)");
        }
        let length = folder.length();
        let folder = Arc::new(Mutex::new(folder));
        Self { pictures: Pictures::Folder { path: path.to_owned(), folder, length }, rate, is_paused: Arc::default() }
    }
}

impl Source for Emulated {
    fn description(&self) -> String {
        match &self.pictures {
            Pictures::Embedded(pictures) => format!("emulated: {} built-in pictures", pictures.len()),
            Pictures::Folder { path, length, .. } => {
                let length = length.load(Ordering::Relaxed);
                let plural = if length == 1 { "" } else { "s" };
                format!("emulated: {length} picture{plural} from {}", path.display())
            }
        }
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        let pictures = match &self.pictures {
            Pictures::Embedded(pictures) => PictureLoop::Embedded { pictures: pictures.clone(), current: None },
            Pictures::Folder { folder, .. } => PictureLoop::Folder { folder: folder.clone(), current: None },
        };
        Ok(Box::new(Playback::start(pictures, self.rate, self.is_paused.clone())?))
    }

    fn controls(&self) -> Result<Vec<Control>, SourceError> {
        Ok(vec![Control {
            name: PAUSE.to_owned(),
            label: "Pause".to_owned(),
            kind: ControlKind::Boolean,
            value: Some(self.is_paused.load(Ordering::Relaxed).into()),
            default: 0,
            read_only: false,
            inactive: false,
        }])
    }

    fn set_control(&self, name: &str, value: i64) -> Result<i64, ControlError> {
        find(&self.controls()?, name)?.check(value)?;
        self.is_paused.store(value != 0, Ordering::Relaxed);
        Ok(value)
    }
}
