//! Why there is no picture.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fourcc::FourCc;

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
    /// The folder of an emulated camera has no picture.
    #[error("no usable JPEG file (.jpg, .bytes) in the folder {}{}; put some there or name another folder", path.display(), skipped_text(*skipped))]
    NoPictures {
        /// The folder.
        path: PathBuf,
        /// How many files of such a name are no pictures. The log says why.
        skipped: usize,
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
    #[error("{} is in use by {}", path.display(), culprits(path, by))]
    Busy {
        /// The path.
        path: PathBuf,
        /// The programs that have the device open, as far as this user may see them.
        by: Vec<Holder>,
    },
    /// The node can never give a picture.
    #[error("{} is not a camera that this program can use: {reason}; `hotshoe cameras` lists those that are", path.display())]
    NotCamera {
        /// The path.
        path: PathBuf,
        /// What it is instead.
        reason: NotCamera,
    },
    /// The node gives the raw data of an image sensor, such as that of a Raspberry Pi camera module. The exposure, the
    /// colours and the whole pipeline of devices behind it are left to libcamera.
    #[error("{} is a bare image sensor, which needs libcamera; serve it with Spyglass, or copy it to a v4l2loopback device and use that (see \"Raspberry Pi camera modules\" in the README)", path.display())]
    NeedsLibcamera {
        /// The path.
        path: PathBuf,
    },
    /// The device has no format that was asked for, or that can be served.
    #[error("{} offers {} but {offered}; see `hotshoe cameras`", path.display(), asked.map_or("no format that can be served".to_owned(), |asked| format!("no {asked}")))]
    NoFormat {
        /// The path.
        path: PathBuf,
        /// The format that was asked for, if one was.
        asked: Option<FourCc>,
        /// The formats that it offers.
        offered: String,
    },
    /// The bus that the device is on cannot carry its stream beside those of others.
    #[error("the USB bus of {} has no room for its stream; ask for a smaller size or rate, or MJPG, or use another port", path.display())]
    NoBandwidth {
        /// The path.
        path: PathBuf,
    },
    /// The device is gone while it was open.
    #[error("{} was unplugged; plug it in again", path.display())]
    Gone {
        /// The path.
        path: PathBuf,
    },
    /// No whole picture came for too long.
    #[error("no picture from {} for {} seconds{}; check its cable, or plug it in again", path.display(), after.as_secs(), if *damaged > 0 { ", only damaged ones" } else { "" })]
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

/// Why a node can never give a picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotCamera {
    /// It does not answer VIDIOC_QUERYCAP.
    #[error("it is no V4L2 device")]
    NotV4l2,
    /// A codec, a scaler or the like: it is given images and returns others.
    #[error("it converts images for other programs (memory-to-memory) and has none of its own")]
    MemoryToMemory,
    /// Data about images. Most webcams have such a node beside the one for video.
    #[error("it captures metadata and no video; its images come from another node")]
    Metadata,
    /// A display, or a loopback device that nothing writes to.
    #[error("it takes video and captures none; if it is a loopback device, start the program that writes to it")]
    Output,
    /// A radio, a tuner of another kind, or nothing that is known.
    #[error("it captures no video")]
    NoVideo,
    /// It lists no video input (VIDIOC_ENUMINPUT), as an image signal processor.
    #[error(
        "it has no video input, so it never gives a picture: it processes the images of a sensor for libcamera (ISP); \
         a Raspberry Pi camera module needs libcamera, see the README"
    )]
    NoInput,
    /// Its images are in several buffers each.
    #[error("it has multi-planar buffers only")]
    MultiPlanar,
    /// It can be read by other means than memory mapping only.
    #[error("its buffers cannot be mapped")]
    NoStreaming,
}

/// A program that has a device open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// Who uses a device, and what to do about that.
fn culprits(path: &Path, by: &[Holder]) -> String {
    let names: Vec<_> = by.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        return format!("another program; end that (`sudo fuser -v {}` names it)", path.display());
    }
    format!("another program, {}; end that", names.join(" or "))
}

fn skipped_text(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => ", and 1 that cannot be used".to_owned(),
        count => format!(", and {count} that cannot be used"),
    }
}
