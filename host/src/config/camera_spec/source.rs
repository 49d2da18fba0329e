//! `SOURCE`: a keyword, an address or a path.

use std::path::PathBuf;
use std::str::FromStr;

use super::error::CameraSpecError;
use crate::camera::network::Address;
use crate::camera::piped::CommandLine;

/// The source of a camera's frames.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceSpec {
    /// `auto`: the first V4L2 device that delivers pictures, or else the emulated camera.
    Auto,
    /// `emulated` or `emulated:DIR`: the built-in pictures, or those in a directory.
    Emulated(Option<PathBuf>),
    /// `emulated:test-pattern`: a drawn picture with the time.
    TestPattern,
    /// `exec:COMMAND`: a program that writes JPEG images.
    Exec(CommandLine),
    /// `rpicam` or `rpicam:N`: the camera module of a Raspberry Pi with this number.
    Rpicam(u32),
    /// `stdin`: standard input.
    Stdin,
    /// `pipe:PATH`: a named pipe.
    Pipe(PathBuf),
    /// `component:FILE`: a driver, which is a WebAssembly component.
    Component(PathBuf),
    /// The address of a camera in the network.
    Network(Address),
    /// The path of a V4L2 device.
    Device(PathBuf),
}

impl SourceSpec {
    /// What messages call this kind of source, and which of the options that not all sources have it supports.
    pub(super) fn supported_options(&self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Auto | Self::Device(_) => {
                ("a device", &["size=", "format=", "quality=", "crop=", "buffers=", "input=", "standard="])
            }
            Self::Emulated(_) => ("an emulated camera", &[]),
            Self::TestPattern => ("the test pattern", &["size=", "quality="]),
            Self::Exec(_) => ("a program", &[]),
            Self::Rpicam(_) => ("a camera module", &["size=", "quality="]),
            Self::Network(_) => ("a network camera", &["credentials=", "insecure"]),
            // The driver gets all others.
            Self::Component(_) => ("a driver", &["size="]),
            Self::Stdin => ("standard input", &[]),
            Self::Pipe(_) => ("a named pipe", &[]),
        }
    }
}

impl FromStr for SourceSpec {
    type Err = CameraSpecError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        match input.split_once(':') {
            Some(("emulated", "test-pattern")) => return Ok(Self::TestPattern),
            Some(("exec", command)) => return Ok(Self::Exec(command.parse()?)),
            Some(("rpicam", number)) => {
                let invalid = |_| CameraSpecError::InvalidModule(number.to_owned());
                return Ok(Self::Rpicam(number.parse().map_err(invalid)?));
            }
            Some(("component", file)) if !file.is_empty() => return Ok(Self::Component(file.into())),
            Some(("pipe", path)) if !path.is_empty() => return Ok(Self::Pipe(path.into())),
            Some(("emulated", directory)) if !directory.is_empty() => {
                return Ok(Self::Emulated(Some(directory.into())));
            }
            _ => {}
        }
        if input.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http")) && input.contains(':') {
            return Ok(Self::Network(input.parse().map_err(CameraSpecError::InvalidAddress)?));
        }
        match input {
            "auto" => Ok(Self::Auto),
            "emulated" => Ok(Self::Emulated(None)),
            "rpicam" => Ok(Self::Rpicam(0)),
            "stdin" => Ok(Self::Stdin),
            path if path.contains('/') => Ok(Self::Device(path.into())),
            other => Err(CameraSpecError::UnknownSource(other.to_owned())),
        }
    }
}
