//! Cameras of the kernel: V4L2 devices that send MJPG.

mod kernel;
pub mod list;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::{debug, warn};

use self::kernel::{Device, Filled, FourCc, Stream};
use super::dimensions::Dimensions;
use super::frame::{Moment, Picture};
use super::jpeg;
use super::source::{Capture, Captured, Mode, Source, SourceError};

/// The formats whose buffers are JPEG images. UVC cameras say the first, a few others the second.
const JPEG_FORMATS: [FourCc; 2] = [*b"MJPG", *b"JPEG"];

/// Buffers to ask for: one being filled, one waiting, one being copied, and one in reserve for when this
/// process is not scheduled. Frames are copied out at once, so more would only hold older ones.
const BUFFERS: u32 = 4;

/// Without a whole picture for this long, the device is opened anew. Longer than the longest exposure of
/// webcams in the dark; for slower rates, [`STALL_FRAMES`] counts.
const STALL: Duration = Duration::from_secs(5);

/// Without a whole picture for this many times the time between two, the device is opened anew.
const STALL_FRAMES: f64 = 3.0;

/// A V4L2 device that sends MJPG, and what was asked of it.
#[derive(Debug)]
pub struct V4l2 {
    path: PathBuf,
    /// The card's name as it was when the device was probed.
    card: String,
    size: Option<Dimensions>,
    rate: Option<f64>,
    /// What the driver gave when that was last logged, so that each retry does not say it again.
    said: Mutex<Option<Mode>>,
}

impl V4l2 {
    /// Check that the device at `path` is a camera that can be served, and close it again.
    ///
    /// `size` and `rate` (frames per second) are asked for at each opening; without, the driver's own stay.
    pub fn probe(path: &Path, size: Option<Dimensions>, rate: Option<f64>) -> Result<Self, SourceError> {
        let card = open_camera(path)?.card;
        Ok(Self { path: path.to_owned(), card, size, rate, said: Mutex::default() })
    }
}

/// An open device that can be served.
struct Usable {
    device: Device,
    /// Its name.
    card: String,
    /// The first offered format whose buffers are JPEG images.
    format: FourCc,
}

/// Open the node, and check what it is.
fn open_camera(path: &Path) -> Result<Usable, SourceError> {
    let not_camera = |reason: &str| SourceError::NotCamera { path: path.to_owned(), reason: reason.to_owned() };
    let device = Device::open(path).map_err(|error| device_error(path, "open", error))?;
    let capability = device.capability().map_err(|_| not_camera("it is no V4L2 device"))?;
    if !capability.captures() {
        return Err(not_camera(if capability.captures_planes() {
            "it has multi-planar buffers only"
        } else {
            "it captures no video"
        }));
    }
    if !capability.streams() {
        return Err(not_camera("its buffers cannot be mapped"));
    }
    let formats = device.formats();
    let Some(format) = formats.iter().map(|format| format.code).find(|code| JPEG_FORMATS.contains(code)) else {
        let offered: Vec<_> = formats.iter().map(|format| code_text(format.code)).collect();
        let offered = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
        return Err(SourceError::NoMjpg { path: path.to_owned(), offered });
    };
    Ok(Usable { device, card: capability.card, format })
}

/// A four-character code to show: `MJPG`.
fn code_text(code: FourCc) -> String {
    String::from_utf8_lossy(&code).trim_end().to_owned()
}

impl Source for V4l2 {
    fn description(&self) -> String {
        format!("{} at {}", self.card, self.path.display())
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        let Usable { device, format, .. } = open_camera(&self.path)?;
        let mode = self.negotiate(&device, format)?;
        let stream = device.stream(BUFFERS).map_err(|error| device_error(&self.path, "start its stream", error))?;
        let patience = mode.rate.map_or(STALL, |rate| STALL.max(Duration::from_secs_f64(STALL_FRAMES / rate)));
        Ok(Box::new(Streaming {
            path: self.path.clone(),
            stream,
            mode,
            patience,
            last_picture: Instant::now(),
            damaged: 0,
            next_sequence: None,
        }))
    }
}

impl V4l2 {
    /// Ask the driver for what was asked of us.
    fn negotiate(&self, device: &Device, code: FourCc) -> Result<Mode, SourceError> {
        let failed = |step| move |error| device_error(&self.path, step, error);
        let current = device.format().map_err(failed("tell its format"))?.dimensions;
        let format = device.set_format(code, self.size.unwrap_or(current)).map_err(failed("set its format"))?;
        if !JPEG_FORMATS.contains(&format.code) {
            return Err(SourceError::NoMjpg { path: self.path.clone(), offered: code_text(format.code) });
        }
        let rate = self.rate.map_or_else(|| device.rate(), |rate| device.set_rate(rate));
        let mode = Mode { dimensions: format.dimensions, rate };
        if self.said.lock().unwrap_or_else(PoisonError::into_inner).replace(mode) != Some(mode) {
            self.say_what_was_not_granted(mode);
        }
        Ok(mode)
    }

    fn say_what_was_not_granted(&self, given: Mode) {
        let path = self.path.display();
        if let Some(asked) = self.size.filter(|asked| *asked != given.dimensions) {
            warn!("{path}: asked for {asked}, the driver gave {}; see `hotshoe cameras`", given.dimensions);
        }
        // Rates are fractions of whole numbers: 29.97 may be asked for, and 30000/1001 given.
        if let (Some(asked), Some(given)) = (self.rate, given.rate)
            && (asked - given).abs() > 0.01 * asked
        {
            warn!("{path}: asked for {asked} frames a second, the driver gave {given:.2}; see `hotshoe cameras`");
        }
    }
}

/// What the kernel's error means for somebody with a camera.
fn device_error(path: &Path, step: &'static str, source: io::Error) -> SourceError {
    use rustix::io::Errno;
    let path = path.to_owned();
    match Errno::from_io_error(&source) {
        Some(Errno::NOENT) => SourceError::NotFound { path },
        // A node whose device went away while it was open, or a stale node.
        Some(Errno::NODEV | Errno::NXIO) => SourceError::Gone { path },
        Some(Errno::ACCESS | Errno::PERM) => SourceError::AccessDenied { path },
        Some(Errno::BUSY) => SourceError::Busy { path },
        _ => SourceError::Device { path, step, source },
    }
}

/// A V4L2 camera that is open.
struct Streaming {
    path: PathBuf,
    stream: Stream,
    mode: Mode,
    /// How long to wait for a whole picture.
    patience: Duration,
    /// When the last whole picture came, or the stream started.
    last_picture: Instant,
    /// How many buffers since then held none.
    damaged: u64,
    /// The driver's number for the next frame; none before the first.
    next_sequence: Option<u32>,
}

impl Capture for Streaming {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn next(&mut self, deadline: Instant) -> Result<Option<Captured>, SourceError> {
        let ready = self.stream.wait(deadline).map_err(|error| self.error("wait for a picture", error))?;
        let captured = if ready { self.newest()? } else { None };
        if captured.is_some() {
            self.last_picture = Instant::now();
            self.damaged = 0;
        } else if self.last_picture.elapsed() > self.patience {
            return Err(SourceError::Stalled { path: self.path.clone(), after: self.patience, damaged: self.damaged });
        }
        Ok(captured)
    }
}

impl Streaming {
    /// Take all buffers that are filled, copy the newest whole picture out, and give the buffers back.
    fn newest(&mut self) -> Result<Option<Captured>, SourceError> {
        let mut newest: Option<Filled> = None;
        let mut dequeued = 0;
        // No driver can have filled more buffers than there are before we give one back; bounded all the
        // same, so that one which fills faster than we look can't keep us here.
        while dequeued < BUFFERS {
            let Some(filled) = self.stream.dequeue().map_err(|error| self.error("give a picture", error))? else {
                break;
            };
            dequeued += 1;
            let rejected = match self.reason_to_reject(&filled) {
                None => newest.replace(filled),
                Some(reason) => {
                    self.damaged += 1;
                    debug!("{}: frame {} is dropped: {reason}", self.path.display(), filled.sequence);
                    Some(filled)
                }
            };
            if let Some(rejected) = rejected {
                self.give_back(rejected)?;
            }
        }
        if dequeued == 0 {
            // Ready, and yet nothing to take: the driver reports an error that dequeuing does not tell. It
            // would be ready at once again, and this loop would spin.
            return Err(self.error("stream", io::Error::from(io::ErrorKind::BrokenPipe)));
        }
        let Some(newest) = newest else { return Ok(None) };
        // The one copy of a frame's bytes.
        let picture = Picture::new(Bytes::copy_from_slice(self.stream.bytes(&newest)));
        let taken = newest.taken.map_or_else(Moment::now, Moment::at);
        // The driver's numbers wrap; the gap is what it dropped, what was damaged, and what was overtaken.
        let missed = self.next_sequence.map_or(0, |next| newest.sequence.wrapping_sub(next));
        // A driver that starts its count again, or repeats a number, has not lost billions of frames.
        let missed = if missed > u32::MAX / 2 { 0 } else { missed };
        self.next_sequence = Some(newest.sequence.wrapping_add(1));
        self.give_back(newest)?;
        Ok(picture.ok().map(|picture| Captured { picture, taken, missed: missed.into() }))
    }

    /// Why a buffer holds no picture; none if it does.
    fn reason_to_reject(&self, filled: &Filled) -> Option<String> {
        if filled.is_flagged() {
            return Some("the driver flagged it as damaged".to_owned());
        }
        jpeg::examine(self.stream.bytes(filled)).err().map(|reason| reason.to_string())
    }

    fn give_back(&self, filled: Filled) -> Result<(), SourceError> {
        self.stream.queue(filled).map_err(|error| self.error("take a buffer back", error))
    }

    fn error(&self, step: &'static str, error: io::Error) -> SourceError {
        device_error(&self.path, step, error)
    }
}
