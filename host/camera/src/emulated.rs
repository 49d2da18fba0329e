//! The emulated camera: plays JPEG files in a loop. For development, tests and machines without a camera.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::controls::{Control, ControlError, ControlKind, find};
use super::dimensions::Dimensions;
use super::error::SourceError;
use super::frame::{Moment, Picture};
use super::source::{Capture, Captured, Content, Image, Mode, Source};
use super::status::Losses;

/// Frames per second unless told otherwise: slow enough to see each picture, as in the tutorial that this
/// camera is known from.
pub const DEFAULT_RATE: f64 = 1.0;

/// The most that a folder's pictures may weigh together, since all of them are held in memory: 400 pictures
/// of a full HD camera.
const FOLDER_LIMIT_MIB: u64 = 256;

/// The pictures of `frames/`, so that the binary runs from anywhere.
static EMBEDDED: [&[u8]; 3] = [
    include_bytes!("../../../frames/1.jpg"),
    include_bytes!("../../../frames/2.jpg"),
    include_bytes!("../../../frames/3.jpg"),
];

/// A camera that plays pictures in a loop.
#[derive(Debug)]
pub struct Emulated {
    /// The pictures in the order in which they are played; never empty. Shared with each opening.
    pictures: Arc<[Picture]>,
    /// The size of the first picture.
    dimensions: Dimensions,
    /// Frames per second, greater than 0.
    rate: f64,
    /// Where the pictures are from; none for the embedded ones.
    folder: Option<PathBuf>,
    /// Whether it shows the same picture over and over. Shared with each opening.
    paused: Arc<AtomicBool>,
}

/// The one thing that can be set on it, so that there is something to set where there is no camera.
const PAUSE: &str = "pause";

impl Emulated {
    /// Play the three pictures that are compiled in. `rate` is in frames per second, greater than 0.
    pub fn embedded(rate: f64) -> Result<Self, SourceError> {
        let pictures = EMBEDDED
            .iter()
            .zip(1..)
            .map(|(jpeg, number)| picture(Bytes::from_static(jpeg), &PathBuf::from(format!("frames/{number}.jpg"))))
            .collect::<Result<_, _>>()?;
        Self::new(pictures, rate, None)
    }

    /// Play the JPEG files of `folder` in the order of their names. They are read now, once: what changes in
    /// the folder later is not seen. `rate` is in frames per second, greater than 0.
    pub fn from_folder(folder: &Path, rate: f64) -> Result<Self, SourceError> {
        Self::new(read_folder(folder)?, rate, Some(folder.to_owned()))
    }

    fn new(pictures: Vec<Picture>, rate: f64, folder: Option<PathBuf>) -> Result<Self, SourceError> {
        let Some(first) = pictures.first() else {
            return Err(SourceError::NoPictures { path: folder.unwrap_or_default() });
        };
        let dimensions = first.dimensions;
        Ok(Self { pictures: pictures.into(), dimensions, rate, folder, paused: Arc::default() })
    }
}

/// The pictures of `folder` in the order of their names.
fn read_folder(folder: &Path) -> Result<Vec<Picture>, SourceError> {
    let unreadable = |source| SourceError::Folder { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_jpeg = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("jpg") || extension.eq_ignore_ascii_case("jpeg"));
        if is_jpeg {
            files.push(path);
        }
    }
    files.sort();
    let mut weight = 0;
    let mut pictures = Vec::with_capacity(files.len());
    for file in files {
        let jpeg = fs::read(&file).map_err(|source| SourceError::File { path: file.clone(), source })?;
        weight += jpeg.len() as u64;
        if weight > FOLDER_LIMIT_MIB << 20 {
            return Err(SourceError::TooManyPictures { path: folder.to_owned(), limit_mib: FOLDER_LIMIT_MIB });
        }
        pictures.push(picture(jpeg.into(), &file)?);
    }
    Ok(pictures)
}

fn picture(jpeg: Bytes, file: &Path) -> Result<Picture, SourceError> {
    Picture::new(jpeg).map_err(|reason| SourceError::NotPicture { path: file.to_owned(), reason })
}

impl Source for Emulated {
    fn description(&self) -> String {
        match &self.folder {
            Some(folder) => format!("emulated: {} pictures from {}", self.pictures.len(), folder.display()),
            None => format!("emulated: {} built-in pictures", self.pictures.len()),
        }
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        Ok(Box::new(Playback {
            pictures: self.pictures.clone(),
            dimensions: self.dimensions,
            rate: self.rate,
            started: Instant::now(),
            next: 0,
            paused: self.paused.clone(),
            shown: 0,
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

/// An emulated camera that is open.
struct Playback {
    pictures: Arc<[Picture]>,
    dimensions: Dimensions,
    rate: f64,
    /// When the first picture was due.
    started: Instant,
    /// The number of the next frame since then.
    next: u64,
    paused: Arc<AtomicBool>,
    /// The number of the picture that was shown last.
    shown: u64,
}

impl Playback {
    /// When picture `number` is due. Counted from the start, so that delays do not add up.
    fn due(&self, number: u64) -> Instant {
        self.started + Duration::from_secs_f64(number as f64 / self.rate)
    }
}

impl Capture for Playback {
    fn mode(&self) -> Mode {
        Mode { dimensions: self.dimensions, rate: Some(self.rate), format: None, quality: None }
    }

    fn next(&mut self, deadline: Instant) -> Result<Captured, SourceError> {
        let due = self.due(self.next);
        std::thread::sleep(due.min(deadline).saturating_duration_since(Instant::now()));
        let now = Instant::now();
        if now < due {
            return Ok(Captured::default());
        }
        // Woken late: play the picture that is due now, as a camera would, and not the missed ones in a burst.
        let latest = (now.duration_since(self.started).as_secs_f64() * self.rate) as u64;
        let number = latest.max(self.next);
        let losses = Losses { late: number - self.next, ..Losses::default() };
        self.next = number + 1;
        if !self.paused.load(Ordering::Relaxed) {
            self.shown = number;
        }
        let index = usize::try_from(self.shown % self.pictures.len() as u64).unwrap_or_default();
        let picture = self.pictures.get(index).cloned();
        let image = picture.map(|picture| Image { content: Content::Picture(picture), taken: Moment::now() });
        Ok(Captured { image, losses })
    }
}
