//! The emulated camera: plays JPEG files in a loop. For development, tests and machines without a camera.
//!
//! * `folder`: the pictures of a folder, kept up to date; `natural`: their order.

mod folder;
mod natural;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::warn;

use self::folder::{FOLDER_LIMIT, Folder};
use self::natural::NaturalName;
use super::controls::{Control, ControlError, ControlKind, find};
use super::error::SourceError;
use super::frame::{JpegImage, Timestamp};
use super::source::{Capture, CaptureOutcome, CapturedImage, ImageData, Source, StreamMode};
use super::status::LostFrames;

/// Frames per second unless told otherwise: slow enough to see each picture, as in the tutorial that this
/// camera is known from.
pub const DEFAULT_RATE: f64 = 1.0;

/// The pictures of `frames/`, so that the binary runs from anywhere.
static EMBEDDED: [&[u8]; 3] = [
    include_bytes!("../../../../../frames/1.jpg"),
    include_bytes!("../../../../../frames/2.jpg"),
    include_bytes!("../../../../../frames/3.jpg"),
];

/// A camera that plays pictures in a loop.
#[derive(Debug)]
pub struct Emulated {
    pictures: Pictures,
    /// Frames per second, greater than 0.
    rate: f64,
    /// Whether it shows the same picture over and over. Shared with each opening.
    paused: Arc<AtomicBool>,
}

/// Where the pictures are from.
#[derive(Debug)]
enum Pictures {
    Embedded(Arc<[JpegImage]>),
    Folder {
        path: PathBuf,
        /// Shared with each opening. Locked while the disk is read, so by capture threads alone.
        folder: Arc<Mutex<Folder>>,
        /// How many there are.
        length: Arc<AtomicUsize>,
    },
}

/// The one thing that can be set on it, so that there is something to set where there is no camera.
const PAUSE: &str = "pause";

impl Emulated {
    /// Play the three pictures that are compiled in. `rate` is in frames per second, greater than 0.
    pub fn embedded(rate: f64) -> Self {
        // All of them are whole, as a test shows.
        let pictures = EMBEDDED.iter().filter_map(|jpeg| JpegImage::new(Bytes::from_static(jpeg)).ok()).collect();
        Self { pictures: Pictures::Embedded(pictures), rate, paused: Arc::default() }
    }

    /// Play the JPEG files of `path` in the natural order of their names. `rate` is in frames per second, greater than
    /// 0.
    ///
    /// They are read now, so this blocks for as long as the disk takes. A folder that is not there, or has no picture, is
    /// only said in the log: it is looked at again at each opening. What changes in it is seen while it is played.
    pub fn from_folder(path: &Path, rate: f64) -> Self {
        let mut folder = Folder::new(path, FOLDER_LIMIT);
        if let Err(error) = folder.refresh() {
            warn!("{error}; it is tried again while somebody watches");
        }
        let length = folder.length();
        let folder = Arc::new(Mutex::new(folder));
        Self { pictures: Pictures::Folder { path: path.to_owned(), folder, length }, rate, paused: Arc::default() }
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
        let mut reel = match &self.pictures {
            Pictures::Embedded(pictures) => Reel::Embedded { pictures: pictures.clone(), shown: None },
            Pictures::Folder { folder, .. } => Reel::Folder { folder: folder.clone(), shown: None },
        };
        let first = reel.advance(0)?;
        Ok(Box::new(Playback {
            reel,
            mode: StreamMode { dimensions: first.dimensions, rate: Some(self.rate), format: None, quality: None },
            rate: self.rate,
            started: Instant::now(),
            next: 0,
            shown: 0,
            paused: self.paused.clone(),
        }))
    }

    fn controls(&self) -> Result<Vec<Control>, SourceError> {
        Ok(vec![Control {
            name: PAUSE.to_owned(),
            label: "Pause".to_owned(),
            kind: ControlKind::Boolean,
            value: Some(self.paused.load(Ordering::Relaxed).into()),
            default: 0,
            read_only: false,
            inactive: false,
        }])
    }

    fn set_control(&self, name: &str, value: i64) -> Result<i64, ControlError> {
        find(&self.controls()?, name)?.check(value)?;
        self.paused.store(value != 0, Ordering::Relaxed);
        Ok(value)
    }
}

/// Pictures in order, over and over, and the one that was shown last.
enum Reel {
    Embedded { pictures: Arc<[JpegImage]>, shown: Option<u64> },
    Folder { folder: Arc<Mutex<Folder>>, shown: Option<NaturalName> },
}

impl Reel {
    /// The picture that comes `steps` after the last one; at first, the first.
    fn advance(&mut self, steps: u64) -> Result<JpegImage, SourceError> {
        match self {
            Self::Embedded { pictures, shown } => {
                let number = shown.map_or(0, |shown| shown.wrapping_add(steps));
                *shown = Some(number);
                let index = number.checked_rem(pictures.len() as u64).and_then(|index| usize::try_from(index).ok());
                let picture = index.and_then(|index| pictures.get(index));
                picture.cloned().ok_or(SourceError::NoPictures { path: PathBuf::new(), skipped: 0 })
            }
            Self::Folder { folder, shown } => {
                folder.lock().unwrap_or_else(PoisonError::into_inner).advance(shown, steps)
            }
        }
    }
}

/// An emulated camera that is open.
struct Playback {
    reel: Reel,
    mode: StreamMode,
    /// Frames per second, greater than 0.
    rate: f64,
    /// When the first picture was due.
    started: Instant,
    /// The number of the next frame since then.
    next: u64,
    /// The number of the frame whose picture was shown last.
    shown: u64,
    paused: Arc<AtomicBool>,
}

impl Playback {
    /// When picture `number` is due. Counted from the start, so that delays do not add up.
    fn due(&self, number: u64) -> Instant {
        self.started + Duration::from_secs_f64(number as f64 / self.rate)
    }
}

impl Capture for Playback {
    fn mode(&self) -> StreamMode {
        self.mode
    }

    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError> {
        let due = self.due(self.next);
        std::thread::sleep(due.min(deadline).saturating_duration_since(Instant::now()));
        let now = Instant::now();
        if now < due {
            return Ok(CaptureOutcome::default());
        }
        // Woken late: play the picture that is due now, as a camera would, and not the missed ones in a burst.
        let latest = (now.duration_since(self.started).as_secs_f64() * self.rate) as u64;
        let number = latest.max(self.next);
        let losses = LostFrames { late: number - self.next, ..LostFrames::default() };
        self.next = number + 1;
        let steps = if self.paused.load(Ordering::Relaxed) { 0 } else { number - self.shown };
        self.shown = number;
        let picture = self.reel.advance(steps)?;
        let image = CapturedImage { content: ImageData::Jpeg(picture), timestamp: Timestamp::now() };
        Ok(CaptureOutcome { image: Some(image), lost: losses })
    }
}
