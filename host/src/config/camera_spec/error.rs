//! Why the value of `--camera` is invalid, and what to write instead.

use super::super::label::ParseLabelError;
use super::limits::{MAX_BUFFERS, MAX_MEMORY, MAX_RATE, MIN_BUFFERS};
use super::name::invalid_name;
use crate::camera::network::AddressError;
use crate::camera::piped::CommandLineError;

/// Why the value of `--camera` is invalid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CameraSpecError {
    /// The source is neither a keyword nor a path.
    #[error(
        "unknown camera `{0}`; use `auto`, `emulated`, `emulated:DIR`, an address such as http://192.168.1.7:8080/video, \
         `exec:COMMAND`, `rpicam`, `stdin`, `pipe:PATH`, `component:FILE`, or the path of a device such as /dev/video0"
    )]
    UnknownSource(String),
    /// The command of `exec:` cannot be split into words.
    #[error("invalid command of exec: {0}")]
    InvalidCommand(#[from] CommandLineError),
    /// The text after `rpicam:` is not a number.
    #[error(
        "`{0}` is not the number of a camera module; use one that `rpicam-vid --list-cameras` prints, as in rpicam:1"
    )]
    InvalidModule(String),
    /// The address of a network camera is malformed.
    #[error("the address is invalid; {0}")]
    InvalidAddress(AddressError),
    /// The text before `=` is not a valid name.
    #[error("{}", invalid_name(.0))]
    InvalidName(String),
    /// There is no such option.
    #[error(
        "unknown camera option `{0}`; use size=WIDTHxHEIGHT, fps=RATE, format=CODE, quality=1..100, \
         crop=WIDTHxHEIGHT+LEFT+TOP, rotate=90|180|270, flip=horizontal|vertical|both, buffers=COUNT, input=NAME, \
         standard=NAME, control=NAME:VALUE, label=TEXT, filter=FILE, credentials=FILE, insecure, remember=SECONDS or \
         keep-open, and double a comma within a path or value"
    )]
    UnknownOption(String),
    /// The value of `size=` is not a size.
    #[error("`{0}` is not a size; use WIDTHxHEIGHT, such as size=1280x720")]
    InvalidSize(String),
    /// The value of `fps=` is not a rate in range.
    #[error("`{0}` is not a frame rate; use frames per second from 1/86400 to {MAX_RATE}, such as fps=30 or fps=0.2")]
    InvalidRate(String),
    /// The value of `format=` is not a FourCC.
    #[error("`{0}` is not a pixel format; use one that `hotshoe cameras` lists, such as format=MJPG, or format=auto")]
    InvalidFormat(String),
    /// The value of `quality=` is not a quality.
    #[error("`{0}` is not a quality; use a number from 1 to 100, such as quality=80")]
    InvalidQuality(String),
    /// The value of `crop=` is not a part of a picture.
    #[error("`{0}` is not a part of a picture; use WIDTHxHEIGHT+LEFT+TOP in pixels, such as crop=640x480+320+120")]
    InvalidCrop(String),
    /// The value of `rotate=` is not an angle.
    #[error("`{0}` is not a rotation; use rotate=90, rotate=180 or rotate=270, in degrees clockwise")]
    InvalidRotation(String),
    /// The value of `flip=` is not a direction.
    #[error("`{0}` is not a flip; use flip=horizontal, flip=vertical or flip=both")]
    InvalidFlip(String),
    /// The value of `buffers=` is not a number in range.
    #[error("`{0}` is not a number of buffers; use {MIN_BUFFERS} to {MAX_BUFFERS}, such as buffers=8")]
    InvalidBuffers(String),
    /// The value of `remember=` is not a duration in range.
    #[error(
        "`{0}` is not a time to remember; use a duration of up to {max}s, such as remember=10s",
        max = MAX_MEMORY.as_secs()
    )]
    InvalidMemory(String),
    /// The value of `input=` or `standard=` is empty.
    #[error("{0}= needs a name, such as input=1 or standard=PAL")]
    EmptyName(&'static str),
    /// The value of `control=` is not a name and a value.
    #[error(
        "`{0}` is not a control setting; use NAME:VALUE, such as control=brightness:128; `hotshoe cameras` lists controls"
    )]
    InvalidControl(String),
    /// An option for a driver has no name.
    #[error("`{0}` is not an option; use NAME=VALUE, with a name that the driver knows")]
    InvalidDriverOption(String),
    /// The value of `env=` or `env-file=` has no key.
    #[error("{0}= needs a key and a value, such as {0}=KEY:VALUE")]
    InvalidEnvironment(&'static str),
    /// The value of `filter=` has no file, or an entry without a key.
    #[error("`{0}` is not a filter; use filter=FILE or filter='FILE?KEY=VALUE&KEY=VALUE'")]
    InvalidFilter(String),
    /// The value of `label=` is not a label.
    #[error("{0:?} is not a label; {1}, such as label=Front door")]
    InvalidLabel(String, ParseLabelError),
    /// The source does not have this option.
    #[error("{0} has no option {1}; remove it")]
    UnsupportedOption(&'static str, &'static str),
}
