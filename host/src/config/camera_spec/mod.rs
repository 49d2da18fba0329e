//! Parses `--camera [NAME=]SOURCE[,OPTION]…`. A comma within a path or value is doubled.
//!
//! * `name`: `NAME`. `source`: `SOURCE`. `driver`, `filter`: the options of components. `options`: the values of the
//!   others. `limits`: their ranges. `error`: what is wrong.

mod driver;
mod error;
mod filter;
mod limits;
pub(super) mod name;
mod options;
mod source;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use self::name::is_valid_name;
use self::options::{
    parse_buffers, parse_control, parse_crop, parse_flip, parse_memory, parse_name, parse_quality, parse_rate,
    parse_rotation, parse_size,
};
use super::label::Label;
use crate::camera::{Dimensions, FourCc, Orientation, Rectangle};

pub use self::driver::DriverSpec;
pub use self::error::CameraSpecError;
pub use self::filter::FilterSpec;
pub use self::name::MAX_NAME_LENGTH;
pub use self::source::SourceSpec;

/// A camera as specified on the command line.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraSpec {
    /// The name before `=`, if any.
    pub name: Option<String>,
    /// The source of the frames.
    pub source: SourceSpec,
    /// `size=`: the picture size to request from the device.
    pub size: Option<Dimensions>,
    /// `fps=`: the frame rate to request, to expect or to play at, in frames per second.
    pub rate: Option<f64>,
    /// `format=`: the pixel format to request from the device. `None` selects the best one.
    pub format: Option<FourCc>,
    /// `quality=`: the JPEG quality, from 1 to 100, unless the camera delivers JPEG by itself.
    pub quality: Option<u8>,
    /// `crop=`: the part of the picture to serve.
    pub crop: Option<Rectangle>,
    /// `rotate=` and `flip=`: how to turn the pictures. `None` without either.
    pub orientation: Option<Orientation>,
    /// `buffers=`: the number of buffers to request from the device.
    pub buffers: Option<u32>,
    /// `input=`: the number or the name of the device's video input.
    pub input: Option<String>,
    /// `standard=`: the name of the video standard of an analogue input.
    pub standard: Option<String>,
    /// `control=NAME:VALUE`, and further `NAME:VALUE` options after it: device controls to set.
    pub controls: Vec<(String, i64)>,
    /// `label=`: the display name. `None` displays the name.
    pub label: Option<Label>,
    /// `credentials=`: a file with the user name and the password for a network camera.
    pub credentials: Option<PathBuf>,
    /// `insecure`: accepts any certificate of a network camera.
    pub is_insecure: bool,
    /// `remember=`: how long the camera remembers its frames.
    pub memory: Option<Duration>,
    /// What a driver gets.
    pub driver: DriverSpec,
    /// `filter=`: the filters, in the order in which frames pass them.
    pub filters: Vec<FilterSpec>,
    /// `keep-open`: opens the camera at startup and never closes it.
    pub keep_open: bool,
}

impl CameraSpec {
    /// Whether a component is part of the camera: a driver or a filter.
    pub fn has_component(&self) -> bool {
        matches!(self.source, SourceSpec::Component(_)) || !self.filters.is_empty()
    }

    /// Whether the camera starts a program.
    pub fn runs_program(&self) -> bool {
        matches!(self.source, SourceSpec::Exec(_) | SourceSpec::Rpicam(_))
    }
}

impl FromStr for CameraSpec {
    type Err = CameraSpecError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        let mut parts = split_at_commas(input).into_iter();
        let first = parts.next().unwrap_or_default();
        let first = first.as_str();
        // Paths may contain `=`. Names contain neither `/` nor `:`.
        let (name, source) = match first.split_once('=') {
            Some((name, source)) if !name.contains(['/', ':']) => (Some(name), source),
            _ => (None, first),
        };
        if let Some(name) = name
            && !is_valid_name(name)
        {
            return Err(CameraSpecError::InvalidName(name.to_owned()));
        }
        let mut spec = Self {
            name: name.map(str::to_owned),
            source: source.parse()?,
            size: None,
            rate: None,
            format: None,
            quality: None,
            crop: None,
            orientation: None,
            buffers: None,
            input: None,
            standard: None,
            controls: Vec::new(),
            label: None,
            credentials: None,
            is_insecure: false,
            memory: None,
            driver: DriverSpec::default(),
            filters: Vec::new(),
            keep_open: false,
        };
        for option in parts {
            let option = option.as_str();
            if matches!(spec.source, SourceSpec::Component(_)) && !is_for_every_source(option) {
                spec.driver.add(option)?;
                continue;
            }
            match option.split_once('=') {
                Some(("size", size)) => spec.size = Some(parse_size(size)?),
                Some(("fps", rate)) => spec.rate = Some(parse_rate(rate)?),
                Some(("format", "auto")) => spec.format = None,
                Some(("format", code)) => {
                    let invalid = |_| CameraSpecError::InvalidFormat(code.to_owned());
                    spec.format = Some(code.parse().map_err(invalid)?);
                }
                Some(("quality", quality)) => spec.quality = Some(parse_quality(quality)?),
                Some(("crop", area)) => spec.crop = Some(parse_crop(area)?),
                Some(("rotate", degrees)) => {
                    spec.orientation.get_or_insert_default().rotation = parse_rotation(degrees)?;
                }
                Some(("flip", flip)) => {
                    let orientation = spec.orientation.get_or_insert_default();
                    (orientation.flip_horizontally, orientation.flip_vertically) = parse_flip(flip)?;
                }
                Some(("buffers", count)) => spec.buffers = Some(parse_buffers(count)?),
                Some(("input", input)) => spec.input = Some(parse_name("input", input)?),
                Some(("standard", standard)) => spec.standard = Some(parse_name("standard", standard)?),
                Some(("control", control)) => spec.controls.push(parse_control(control)?),
                Some(("label", label)) => {
                    let invalid = |reason| CameraSpecError::InvalidLabel(label.to_owned(), reason);
                    spec.label = Some(label.parse().map_err(invalid)?);
                }
                Some(("filter", filter)) => spec.filters.push(filter.parse()?),
                Some(("credentials", file)) => spec.credentials = Some(file.into()),
                Some(("remember", time)) => spec.memory = Some(parse_memory(time)?),
                None if option == "insecure" => spec.is_insecure = true,
                None if option == "keep-open" => spec.keep_open = true,
                None if !spec.controls.is_empty() && option.contains(':') => {
                    spec.controls.push(parse_control(option)?);
                }
                _ => return Err(CameraSpecError::UnknownOption(option.to_owned())),
            }
        }
        let (kind, supported) = spec.source.supported_options();
        let set_options = [
            ("size=", spec.size.is_some()),
            ("format=", spec.format.is_some()),
            ("quality=", spec.quality.is_some()),
            ("crop=", spec.crop.is_some()),
            ("buffers=", spec.buffers.is_some()),
            ("input=", spec.input.is_some()),
            ("standard=", spec.standard.is_some()),
            ("credentials=", spec.credentials.is_some()),
            ("insecure", spec.is_insecure),
        ];
        match set_options.into_iter().find(|(option, is_set)| *is_set && !supported.contains(option)) {
            Some((option, _)) => Err(CameraSpecError::UnsupportedOption(kind, option)),
            None => Ok(spec),
        }
    }
}

/// Whether the host itself handles an option for every source. A driver gets the others.
fn is_for_every_source(option: &str) -> bool {
    let name = option.split_once('=').map_or(option, |(name, _)| name);
    ["size", "fps", "rotate", "flip", "remember", "label", "filter", "keep-open"].contains(&name)
}

/// Splits at single commas. A doubled comma stands for one that does not separate.
fn split_at_commas(input: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = input.chars().peekable();
    while let Some(char) = chars.next() {
        if char == ',' && chars.next_if_eq(&',').is_none() {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(char);
        }
    }
    parts
}
