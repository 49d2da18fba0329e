//! Why a camera delivers no pictures.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::dimensions::Dimensions;
use super::fourcc::FourCc;
use super::network::error::NetworkError;
use super::piped::error::InputError;
use super::rectangle::Rectangle;
use super::status::Outage;

/// Why a camera cannot be opened, or stopped delivering images. Each message is a single line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The folder of an emulated camera cannot be listed.
    #[error("cannot read the folder {}: {source}; check the path and its permissions", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The folder of an emulated camera contains no picture.
    #[error("no usable JPEG file (.jpg, .jpeg) in the folder {}{}; add some or choose another folder", path.display(), skipped_text(*skipped))]
    NoPictures {
        /// The folder.
        path: PathBuf,
        /// How many JPEG files are unusable. The log says why.
        skipped: usize,
    },
    /// The test pattern is larger than 8K.
    #[error("a test pattern of {size} takes too much memory; use at most size=7680x4320")]
    PatternTooLarge {
        /// The requested size.
        size: Dimensions,
    },
    /// The path of a device does not exist.
    #[error("no device at {}; plug it in, or run `hotshoe cameras` to list the devices", path.display())]
    NotFound {
        /// The device node.
        path: PathBuf,
    },
    /// The user of this process may not open the device.
    #[error("no permission to use {}; add the user to its group (usually: sudo usermod -aG video $USER) and log in again", path.display())]
    AccessDenied {
        /// The device node.
        path: PathBuf,
    },
    /// Another program, or another camera of this server, streams from the device.
    #[error("{} is in use by {}", path.display(), users_text(path, users))]
    Busy {
        /// The device node.
        path: PathBuf,
        /// The programs that have the device open, as far as this user may see them.
        users: Vec<DeviceUser>,
    },
    /// The device can never deliver a picture.
    #[error("{} is not a usable camera: {reason}; run `hotshoe cameras` to list usable ones", path.display())]
    NotCamera {
        /// The device node.
        path: PathBuf,
        /// What it is instead.
        reason: NotCameraReason,
    },
    /// The device delivers raw sensor data, such as a Raspberry Pi camera module. Only libcamera can control the
    /// exposure, the colours and the pipeline of devices behind such a sensor.
    #[error("{} is a bare image sensor, which needs libcamera; use --camera rpicam", path.display())]
    NeedsLibcamera {
        /// The device node.
        path: PathBuf,
    },
    /// The device does not offer the requested format, or no usable format at all.
    #[error("{} {} (offered: {offered}); see `hotshoe cameras`", path.display(), requested.map_or("offers no usable format".to_owned(), |requested| format!("does not offer {requested}")))]
    NoFormat {
        /// The device node.
        path: PathBuf,
        /// The requested format, if any.
        requested: Option<FourCc>,
        /// The formats that the device offers.
        offered: String,
    },
    /// The device cannot crop, and its pictures are JPEG images.
    #[error("{} cannot crop its pictures, and those in {format} stay as they are; remove crop=, or set format= to a raw format if it offers one", path.display())]
    CropUnsupported {
        /// The device node.
        path: PathBuf,
        /// The format of the pictures.
        format: FourCc,
    },
    /// The part of the picture to crop to is not within the picture.
    #[error("crop={crop} is not within the pictures of {}, which are {size}", path.display())]
    CropOutside {
        /// The device node.
        path: PathBuf,
        /// The part.
        crop: Rectangle,
        /// The size of the pictures.
        size: Dimensions,
    },
    /// The device offers only compressed video, whose pictures depend on one another.
    #[error("{} delivers only compressed video ({offered}), not pictures; convert it with --camera 'exec:ffmpeg -f v4l2 -i {} -f mjpeg -'", path.display(), path.display())]
    OnlyVideo {
        /// The device node.
        path: PathBuf,
        /// The formats that the device offers.
        offered: String,
    },
    /// The device has no input or no standard with the requested name.
    #[error("{} has no {setting} `{requested}` (offered: {offered})", path.display())]
    UnknownSetting {
        /// The device node.
        path: PathBuf,
        /// What was requested.
        setting: SignalSetting,
        /// The requested name.
        requested: String,
        /// The names that the device offers.
        offered: String,
    },
    /// The input of the device receives no signal, or an unstable one.
    #[error("no signal at {}; connect a source to its input and turn it on", path.display())]
    NoSignal {
        /// The device node.
        path: PathBuf,
    },
    /// The device cannot capture the signal.
    #[error("the signal at {} is out of its range; choose another resolution or rate at the source", path.display())]
    UnsupportedSignal {
        /// The device node.
        path: PathBuf,
    },
    /// The signal changed while the device was open, so its size or rate may have changed.
    #[error("the signal at {} has changed", path.display())]
    SignalChanged {
        /// The device node.
        path: PathBuf,
    },
    /// The bus cannot carry the stream in addition to those of other devices.
    #[error("the USB bus of {} has no bandwidth left; request a smaller size, a lower rate or MJPG, or use another port", path.display())]
    NoBandwidth {
        /// The device node.
        path: PathBuf,
    },
    /// The device disappeared while it was open.
    #[error("{} was unplugged; plug it in again", path.display())]
    Gone {
        /// The device node.
        path: PathBuf,
    },
    /// The device delivered no complete image for too long.
    #[error("no picture from {} for {} seconds{}; check its cable, or plug it in again", path.display(), after.as_secs(), if *damaged > 0 { ", only damaged ones" } else { "" })]
    Stalled {
        /// The device node.
        path: PathBuf,
        /// How long no complete image arrived.
        after: Duration,
        /// How many damaged images arrived meanwhile.
        damaged: u64,
    },
    /// A program, standard input or a named pipe delivers no pictures.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A camera in the network delivers no pictures.
    #[error("{address}: {source}")]
    Network {
        /// The address, without secrets.
        address: String,
        /// Why it delivers none.
        source: NetworkError,
    },
    /// A source outside this crate delivers no pictures.
    #[error("{}", .0.message)]
    External(Outage),
    /// The kernel refused an operation for any other reason.
    #[error("{} failed to {step}: {source}", path.display())]
    Device {
        /// The device node.
        path: PathBuf,
        /// The operation, as in "failed to ...".
        step: &'static str,
        /// The error of the operating system.
        source: std::io::Error,
    },
}

/// A choice that capture devices offer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignalSetting {
    /// A video input.
    Input,
    /// A video standard.
    Standard,
}

/// Formats as `input` or `standard`.
impl fmt::Display for SignalSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Standard => "standard",
        })
    }
}

/// Why a device node can never deliver a picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotCameraReason {
    /// It does not implement VIDIOC_QUERYCAP.
    #[error("it is not a V4L2 device")]
    NotV4l2,
    /// A codec, a scaler or the like.
    #[error("it converts images for other programs (memory-to-memory) and captures none")]
    MemoryToMemory,
    /// Data about images. Most webcams have such a node in addition to the one for video.
    #[error("it captures metadata; the video comes from another node of the device")]
    Metadata,
    /// A display, or a loopback device without a writer.
    #[error("it is a video output; if it is a loopback device, start the program that writes to it")]
    Output,
    /// A radio, another kind of tuner, or something unknown.
    #[error("it captures no video")]
    NoVideo,
    /// It lists no video input (VIDIOC_ENUMINPUT), like an image signal processor.
    #[error(
        "it has no video input: it processes the images of a sensor for libcamera (ISP); a Raspberry Pi camera module \
         needs --camera rpicam"
    )]
    NoInput,
    /// It can only be read by other means than memory mapping.
    #[error("its buffers cannot be memory-mapped")]
    NoStreaming,
}

/// A program that has a device open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeviceUser {
    /// The process ID.
    pub pid: u32,
    /// The name of the program.
    pub name: String,
}

/// Formats as `cheese (process 4711)`.
impl fmt::Display for DeviceUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// Names the programs that use a device, and says what to do.
fn users_text(path: &Path, users: &[DeviceUser]) -> String {
    let names: Vec<_> = users.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        let path = path.display();
        return format!(
            "another program or another camera of this server (`sudo fuser -v {path}` shows which); stop it"
        );
    }
    format!("another program, {}; stop it", names.join(" or "))
}

fn skipped_text(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " (1 file is unusable)".to_owned(),
        count => format!(" ({count} files are unusable)"),
    }
}
