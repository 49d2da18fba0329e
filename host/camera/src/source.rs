//! What every kind of camera is to the rest of the host.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::dimensions::Dimensions;
use super::frame::{Moment, Picture};
use super::jpeg::NotJpeg;

/// A camera that can be opened, again and again.
///
/// A new kind of camera implements this and [`Capture`], and gets a word in `config::camera_spec`.
pub trait Source: Send + Sync + 'static {
    /// One line for a person: what it is and where.
    fn description(&self) -> String;

    /// Open the camera and start its stream. Blocks for as long as the device takes (a USB camera: up to a
    /// second or two), so it is called on the capture thread.
    fn open(&self) -> Result<Box<dyn Capture>, SourceError>;
}

/// An open camera. Dropping it closes the device.
pub trait Capture: Send {
    /// What the device agreed to, which need not be what was asked for.
    fn mode(&self) -> Mode;

    /// Wait for the next picture, but not beyond `deadline`; none if there was none by then.
    ///
    /// Where several are waiting, the newest is returned and the others are counted in
    /// [`Captured::missed`]. An error ends this opening of the camera; it is then dropped.
    fn next(&mut self, deadline: Instant) -> Result<Option<Captured>, SourceError>;
}

/// How an open camera streams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mode {
    /// The size of its pictures.
    pub dimensions: Dimensions,
    /// Frames per second, greater than 0; none where the device does not say.
    pub rate: Option<f64>,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rate {
            // Two decimals for 29.97; none for 30.
            Some(rate) => write!(f, "{}, {} fps", self.dimensions, (rate * 100.0).round() / 100.0),
            None => write!(f, "{}", self.dimensions),
        }
    }
}

/// A picture as [`Capture::next`] gives it.
#[derive(Debug)]
pub struct Captured {
    /// The picture.
    pub picture: Picture,
    /// When the device took it.
    pub taken: Moment,
    /// How many frames before it never came to be seen: dropped by the driver, damaged, or overtaken.
    pub missed: u64,
}

/// Why a camera can't be opened, or stopped giving pictures. One line each, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The folder of an emulated camera can't be listed.
    #[error("cannot read the folder {}: {source}; check the path and its permissions", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The folder of an emulated camera has no pictures.
    #[error("no JPEG files (.jpg, .jpeg) in the folder {}; put some there or name another folder", path.display())]
    NoPictures {
        /// The folder.
        path: PathBuf,
    },
    /// The pictures of a folder are more than fits in memory.
    #[error("the pictures in {} are more than {limit_mib} MiB, and all of them are held in memory; use fewer or smaller ones", path.display())]
    TooManyPictures {
        /// The folder.
        path: PathBuf,
        /// The limit, in units of 1,048,576 bytes.
        limit_mib: u64,
    },
    /// A picture of an emulated camera can't be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of an emulated camera is not a picture.
    #[error("{} is not a whole JPEG image: {reason}; remove or replace it", path.display())]
    NotPicture {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: NotJpeg,
    },
    /// There is nothing at a device's path.
    #[error("no device at {}; plug it in, or see `hotshoe cameras` for what is there", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// The device is there, and this user may not use it.
    #[error("no permission to use {}; add the user to its group (usually: sudo usermod -aG video $USER) and log in again", path.display())]
    AccessDenied {
        /// The path.
        path: PathBuf,
    },
    /// Another program streams from the device.
    #[error("{} is in use by another program; end that program (`fuser -v {}` names it)", path.display(), path.display())]
    Busy {
        /// The path.
        path: PathBuf,
    },
    /// What is at the path is not a V4L2 device that captures single-planar video by memory mapping.
    #[error("{} is not a camera that this program can use: {reason}; `hotshoe cameras` lists those that are", path.display())]
    NotCamera {
        /// The path.
        path: PathBuf,
        /// What it lacks.
        reason: String,
    },
    /// The device offers no MJPG.
    #[error("{} offers no MJPG but {offered}; only cameras with MJPG are supported so far", path.display())]
    NoMjpg {
        /// The path.
        path: PathBuf,
        /// The formats that it offers.
        offered: String,
    },
    /// The device is gone while it was open.
    #[error("{} was unplugged; plug it in again", path.display())]
    Gone {
        /// The path.
        path: PathBuf,
    },
    /// No whole picture came for too long.
    #[error("no picture from {} for {} seconds{}; check its cable, or plug it in again", path.display(), after.as_secs(), if *damaged > 0 { format!(", only {damaged} damaged ones") } else { String::new() })]
    Stalled {
        /// The path.
        path: PathBuf,
        /// How long it was waited for.
        after: Duration,
        /// How many damaged ones came meanwhile.
        damaged: u64,
    },
    /// The kernel refused a step, for no reason known above.
    #[error("{} failed to {step}: {source}", path.display())]
    Device {
        /// The path.
        path: PathBuf,
        /// What was tried, as in "failed to ...".
        step: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
}
