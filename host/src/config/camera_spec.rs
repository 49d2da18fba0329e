//! `--camera [NAME=]SOURCE[,KEY=VALUE]…`, as it is typed. A comma that is part of a path or a value is doubled.

use std::path::PathBuf;
use std::str::FromStr;

use super::label::{Label, ParseLabelError};
use crate::camera::{Dimensions, FourCc};

/// The longest name of a camera. It appears in URLs, on pages and in the log, so it stays readable.
pub const MAX_NAME_LENGTH: usize = 32;

/// No camera is faster; what is above is a typing mistake.
const FASTEST: f64 = 10_000.0;

/// No camera takes longer for a frame than a day; the inverse, so that times stay finite.
const SLOWEST: f64 = 1.0 / 86_400.0;

/// No sensor is wider or higher.
const LARGEST_SIDE: u32 = 32_768;

/// A camera as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraSpec {
    /// The name before `=`, if there was one.
    pub name: Option<String>,
    /// What gives the pictures.
    pub source: SourceSpec,
    /// `size=`: what to ask the device for.
    pub size: Option<Dimensions>,
    /// `fps=`: frames per second to ask the device for, or to play at.
    pub rate: Option<f64>,
    /// `format=`: the pixel format to ask the device for; the best that there is unless given.
    pub format: Option<FourCc>,
    /// `quality=`: how good the JPEG images are that are made of raw formats, from 1 to 100.
    pub quality: Option<u8>,
    /// `control=NAME:VALUE`, and `NAME:VALUE` after it: what to set on the device.
    pub controls: Vec<(String, i64)>,
    /// `label=`: what to call it on pages, in place of its name.
    pub label: Option<Label>,
    /// `keep-open`: the camera is open from the start on, and stays so.
    pub keep_open: bool,
}

/// What gives the pictures.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceSpec {
    /// `auto`: the first camera that is there, else the emulated one.
    Auto,
    /// `emulated`, `emulated:DIR`: pictures from a folder, or the built-in ones.
    Emulated(Option<PathBuf>),
    /// A path: that V4L2 device.
    Device(PathBuf),
}

/// Why a `--camera` can't be understood.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CameraSpecError {
    /// Neither a known word nor a path.
    #[error(
        "unknown camera `{0}`: give `auto`, `emulated`, `emulated:DIR`, or the path of a device such as /dev/video0"
    )]
    UnknownSource(String),
    /// The name before `=` can't be one.
    #[error("`{0}` cannot name a camera: use 1 to {MAX_NAME_LENGTH} letters, digits, `-` and `_`")]
    BadName(String),
    /// Not `KEY=VALUE`, or no known key.
    #[error(
        "unknown camera option `{0}`: there are size=WIDTHxHEIGHT, fps=RATE, format=CODE, quality=1..100, \
         control=NAME:VALUE, label=TEXT and keep-open; a comma in a path or a value is doubled"
    )]
    UnknownOption(String),
    /// `size=` with something else than a size.
    #[error("`{0}` is not a size: give WIDTHxHEIGHT, such as size=1280x720")]
    BadSize(String),
    /// `fps=` with something else than a rate.
    #[error("`{0}` is not a rate: give frames per second from 1/86400 to {FASTEST}, such as fps=30 or fps=0.2")]
    BadRate(String),
    /// `format=` with something else than a code.
    #[error("`{0}` is not a pixel format: give one that `hotshoe cameras` shows, such as format=MJPG, or format=auto")]
    BadFormat(String),
    /// `quality=` with something else than a quality.
    #[error("`{0}` is not a quality: give a number from 1 to 100, such as quality=80")]
    BadQuality(String),
    /// `control=` with something else than a name and a value.
    #[error(
        "`{0}` does not set a control: give NAME:VALUE, such as control=brightness:128; `hotshoe cameras` shows them"
    )]
    BadControl(String),
    /// `label=` with something that can't be shown.
    #[error("{0:?} cannot be a label: {1}, such as label=Front door")]
    BadLabel(String, ParseLabelError),
    /// An option of devices with `emulated`.
    #[error("the emulated camera plays its pictures as they are: leave {0}= out")]
    NotOfEmulated(&'static str),
}

/// Whether `name` can name a camera. The WIT promises guests that it needs no escaping.
fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_LENGTH).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl FromStr for CameraSpec {
    type Err = CameraSpecError;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        let mut parts = split_at_commas(typed).into_iter();
        let first = parts.next().unwrap_or_default();
        let first = first.as_str();
        // A path may hold `=`, so what is before it is a name only where it is not a part of a path.
        let (name, source) = match first.split_once('=') {
            Some((name, source)) if !name.contains(['/', ':']) => (Some(name), source),
            _ => (None, first),
        };
        if let Some(name) = name
            && !is_name(name)
        {
            return Err(CameraSpecError::BadName(name.to_owned()));
        }
        let mut spec = Self {
            name: name.map(str::to_owned),
            source: source.parse()?,
            size: None,
            rate: None,
            format: None,
            quality: None,
            controls: Vec::new(),
            label: None,
            keep_open: false,
        };
        for option in parts {
            let option = option.as_str();
            match option.split_once('=') {
                Some(("size", size)) => spec.size = Some(parse_size(size)?),
                Some(("fps", rate)) => spec.rate = Some(parse_rate(rate)?),
                Some(("format", "auto")) => spec.format = None,
                Some(("format", code)) => {
                    let wrong = |_| CameraSpecError::BadFormat(code.to_owned());
                    spec.format = Some(code.parse().map_err(wrong)?);
                }
                Some(("quality", quality)) => spec.quality = Some(parse_quality(quality)?),
                Some(("control", control)) => spec.controls.push(parse_control(control)?),
                Some(("label", label)) => {
                    let wrong = |reason| CameraSpecError::BadLabel(label.to_owned(), reason);
                    spec.label = Some(label.parse().map_err(wrong)?);
                }
                None if option == "keep-open" => spec.keep_open = true,
                None if !spec.controls.is_empty() && option.contains(':') => {
                    spec.controls.push(parse_control(option)?);
                }
                _ => return Err(CameraSpecError::UnknownOption(option.to_owned())),
            }
        }
        if matches!(spec.source, SourceSpec::Emulated(_)) {
            let given =
                [("size", spec.size.is_some()), ("format", spec.format.is_some()), ("quality", spec.quality.is_some())];
            if let Some((option, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
                return Err(CameraSpecError::NotOfEmulated(option));
            }
        }
        Ok(spec)
    }
}

impl FromStr for SourceSpec {
    type Err = CameraSpecError;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        match typed.split_once(':') {
            Some(("emulated", folder)) if !folder.is_empty() => return Ok(Self::Emulated(Some(folder.into()))),
            _ => {}
        }
        match typed {
            "auto" => Ok(Self::Auto),
            "emulated" => Ok(Self::Emulated(None)),
            path if path.contains('/') => Ok(Self::Device(path.into())),
            other => Err(CameraSpecError::UnknownSource(other.to_owned())),
        }
    }
}

/// Split at each comma, but for those that are doubled: these stand for one comma.
fn split_at_commas(typed: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = typed.chars().peekable();
    while let Some(char) = chars.next() {
        if char == ',' && chars.next_if_eq(&',').is_none() {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(char);
        }
    }
    parts
}

fn parse_size(typed: &str) -> Result<Dimensions, CameraSpecError> {
    let side = |side: &str| side.parse().ok().filter(|side| (1..=LARGEST_SIDE).contains(side));
    typed
        .split_once(['x', 'X'])
        .and_then(|(width, height)| Some(Dimensions { width: side(width)?, height: side(height)? }))
        .ok_or_else(|| CameraSpecError::BadSize(typed.to_owned()))
}

fn parse_rate(typed: &str) -> Result<f64, CameraSpecError> {
    typed
        .parse()
        .ok()
        .filter(|rate| (SLOWEST..=FASTEST).contains(rate))
        .ok_or_else(|| CameraSpecError::BadRate(typed.to_owned()))
}

fn parse_quality(typed: &str) -> Result<u8, CameraSpecError> {
    let quality = typed.parse().ok().filter(|quality| (1..=100).contains(quality));
    quality.ok_or_else(|| CameraSpecError::BadQuality(typed.to_owned()))
}

fn parse_control(typed: &str) -> Result<(String, i64), CameraSpecError> {
    let control = typed.split_once(':').filter(|(name, _)| !name.is_empty());
    control
        .and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .ok_or_else(|| CameraSpecError::BadControl(typed.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(typed: &str) -> Result<CameraSpec, CameraSpecError> {
        typed.parse()
    }

    #[test]
    fn everything_can_be_given_at_once() {
        assert_eq!(
            parse(
                "front=/dev/video0,size=1280x720,fps=29.97,format=yuyv,quality=90,control=gain:-3,focus:0,\
                 label=Front door,, left,keep-open"
            ),
            Ok(CameraSpec {
                name: Some("front".into()),
                source: SourceSpec::Device("/dev/video0".into()),
                size: Some(Dimensions { width: 1280, height: 720 }),
                rate: Some(29.97),
                format: Some(FourCc(*b"YUYV")),
                quality: Some(90),
                controls: vec![("gain".into(), -3), ("focus".into(), 0)],
                label: Some("Front door, left".parse().unwrap()),
                keep_open: true,
            })
        );
    }

    #[test]
    fn sources_are_words_or_paths() {
        assert_eq!(parse("auto").unwrap().source, SourceSpec::Auto);
        assert_eq!(parse("emulated").unwrap().source, SourceSpec::Emulated(None));
        assert_eq!(parse("yard=emulated:frames").unwrap().source, SourceSpec::Emulated(Some("frames".into())));
        assert_eq!(parse("./cam").unwrap().source, SourceSpec::Device("./cam".into()));
        assert_eq!(parse("webcam"), Err(CameraSpecError::UnknownSource("webcam".into())));
        assert_eq!(parse(""), Err(CameraSpecError::UnknownSource("".into())));
        assert_eq!(parse("emulated:"), Err(CameraSpecError::UnknownSource("emulated:".into())));
    }

    #[test]
    fn an_equals_sign_in_a_path_is_not_a_name() {
        let by_path = parse("/dev/v4l/by-path/pci=1-usb").unwrap();
        assert_eq!(by_path.name, None);
        assert_eq!(by_path.source, SourceSpec::Device("/dev/v4l/by-path/pci=1-usb".into()));
        assert_eq!(parse("emulated:a=b").unwrap().source, SourceSpec::Emulated(Some("a=b".into())));
    }

    #[test]
    fn a_doubled_comma_is_part_of_a_path_or_a_value() {
        let folder = |typed| match parse(typed).unwrap().source {
            SourceSpec::Emulated(Some(folder)) => folder,
            other => panic!("{other:?}"),
        };
        assert_eq!(folder("emulated:a,,b"), PathBuf::from("a,b"));
        assert_eq!(folder("emulated:,,,,"), PathBuf::from(",,"));
        assert_eq!(folder("yard=emulated:a,,,fps=5"), PathBuf::from("a,"), "the first two are the pair");
        assert_eq!(parse("/dev/v4l/by-id/a,,b,fps=5").unwrap().source, SourceSpec::Device("/dev/v4l/by-id/a,b".into()));
        assert_eq!(parse("auto,,fps=5"), Err(CameraSpecError::BadName("auto,fps".into())));
        let label = |typed: &str| parse(typed).unwrap().label.unwrap().to_string();
        assert_eq!(label("auto,label=\u{7384}\u{95a2}=a:b/c,fps=5"), "\u{7384}\u{95a2}=a:b/c");
        assert!(matches!(parse("auto,label="), Err(CameraSpecError::BadLabel(..))));
        assert!(matches!(parse("auto,label=a\nb"), Err(CameraSpecError::BadLabel(..))));
    }

    #[test]
    fn names_need_no_escaping() {
        for name in ["a", "front-door_2", &"n".repeat(MAX_NAME_LENGTH)] {
            assert_eq!(parse(&format!("{name}=auto")).unwrap().name.as_deref(), Some(name));
        }
        for name in ["", "front door", "caf\u{e9}", "<b>", "a%20b", &"n".repeat(MAX_NAME_LENGTH + 1)] {
            assert_eq!(parse(&format!("{name}=auto")), Err(CameraSpecError::BadName(name.into())));
        }
    }

    #[test]
    fn nonsense_values_are_refused() {
        for size in ["", "640", "x480", "640x", "0x0", "-1x4", "640x480x2", "99999x1"] {
            assert_eq!(parse(&format!("/dev/video0,size={size}")), Err(CameraSpecError::BadSize(size.into())));
        }
        for rate in ["", "0", "-1", "nan", "inf", "1e9", "fast"] {
            assert_eq!(parse(&format!("emulated,fps={rate}")), Err(CameraSpecError::BadRate(rate.into())));
        }
        assert_eq!(parse("auto,colour=red"), Err(CameraSpecError::UnknownOption("colour=red".into())));
        assert_eq!(parse("auto,"), Err(CameraSpecError::UnknownOption("".into())));
        for option in ["size=1x1", "format=MJPG", "quality=1"] {
            let name = option.split_once('=').unwrap().0;
            assert_eq!(parse(&format!("emulated,{option}")), Err(CameraSpecError::NotOfEmulated(name)));
        }
        for code in ["", "MJPEG", "\u{fc}"] {
            assert_eq!(parse(&format!("auto,format={code}")), Err(CameraSpecError::BadFormat(code.into())));
        }
        assert_eq!(parse("auto,format=auto").unwrap().format, None);
        for quality in ["", "0", "101", "best"] {
            assert_eq!(parse(&format!("auto,quality={quality}")), Err(CameraSpecError::BadQuality(quality.into())));
        }
        for control in ["", "gain", "gain:", ":1", "gain:high", "gain:1.5"] {
            assert_eq!(parse(&format!("auto,control={control}")), Err(CameraSpecError::BadControl(control.into())));
        }
        assert_eq!(parse("auto,gain:1"), Err(CameraSpecError::UnknownOption("gain:1".into())));
    }
}
