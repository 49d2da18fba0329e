//! Parses `--camera [NAME=]SOURCE[,OPTION]…`. A comma within a path or value is doubled.

use std::path::PathBuf;
use std::str::FromStr;

use super::label::{Label, ParseLabelError};
use crate::camera::network::{Address, AddressError};
use crate::camera::piped::{CommandLine, CommandLineError};
use crate::camera::{Dimensions, FourCc, Orientation, Rotation};

/// The longest camera name, in characters. Names appear in URLs, on pages and in the log, so they must stay readable.
pub const MAX_NAME_LENGTH: usize = 32;

/// The highest frame rate, in frames per second. No camera is faster, so a higher value is a typing error.
const MAX_RATE: f64 = 10_000.0;

/// The lowest frame rate, in frames per second: one frame a day. Keeps frame intervals finite.
const MIN_RATE: f64 = 1.0 / 86_400.0;

/// The largest width or height, in pixels. No sensor is larger.
const MAX_SIDE: u32 = 32_768;

/// The fewest buffers: one that the driver fills while the other is copied.
const MIN_BUFFERS: u32 = 2;

/// The most buffers that the kernel allocates for a stream (VIDEO_MAX_FRAME).
const MAX_BUFFERS: u32 = 32;

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
    /// `keep-open`: opens the camera at startup and never closes it.
    pub keep_open: bool,
}

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
    /// The address of a camera in the network.
    Network(Address),
    /// The path of a V4L2 device.
    Device(PathBuf),
}

/// Why the value of `--camera` is invalid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CameraSpecError {
    /// The source is neither a keyword nor a path.
    #[error(
        "unknown camera `{0}`; use `auto`, `emulated`, `emulated:DIR`, an address such as http://192.168.1.7:8080/video, \
         `exec:COMMAND`, `rpicam`, `stdin`, `pipe:PATH`, or the path of a device such as /dev/video0"
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
    #[error("`{0}` is not a camera name; use 1 to {MAX_NAME_LENGTH} letters, digits, `-` and `_`")]
    InvalidName(String),
    /// There is no such option.
    #[error(
        "unknown camera option `{0}`; use size=WIDTHxHEIGHT, fps=RATE, format=CODE, quality=1..100, \
         rotate=90|180|270, flip=horizontal|vertical|both, buffers=COUNT, input=NAME, standard=NAME, \
         control=NAME:VALUE, label=TEXT, credentials=FILE, insecure or keep-open, and double a comma within a path or \
         value"
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
    /// The value of `rotate=` is not an angle.
    #[error("`{0}` is not a rotation; use rotate=90, rotate=180 or rotate=270, in degrees clockwise")]
    InvalidRotation(String),
    /// The value of `flip=` is not a direction.
    #[error("`{0}` is not a flip; use flip=horizontal, flip=vertical or flip=both")]
    InvalidFlip(String),
    /// The value of `buffers=` is not a number in range.
    #[error("`{0}` is not a number of buffers; use {MIN_BUFFERS} to {MAX_BUFFERS}, such as buffers=8")]
    InvalidBuffers(String),
    /// The value of `input=` or `standard=` is empty.
    #[error("{0}= needs a name, such as input=1 or standard=PAL")]
    EmptyName(&'static str),
    /// The value of `control=` is not a name and a value.
    #[error(
        "`{0}` is not a control setting; use NAME:VALUE, such as control=brightness:128; `hotshoe cameras` lists controls"
    )]
    InvalidControl(String),
    /// The value of `label=` is not a label.
    #[error("{0:?} is not a label; {1}, such as label=Front door")]
    InvalidLabel(String, ParseLabelError),
    /// The source does not have this option.
    #[error("{0} has no option {1}; remove it")]
    UnsupportedOption(&'static str, &'static str),
}

/// Whether `name` is a valid camera name. The WIT promises guests that names need no escaping in URLs and HTML.
fn is_valid_name(name: &str) -> bool {
    (1..=MAX_NAME_LENGTH).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
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
            orientation: None,
            buffers: None,
            input: None,
            standard: None,
            controls: Vec::new(),
            label: None,
            credentials: None,
            is_insecure: false,
            keep_open: false,
        };
        for option in parts {
            let option = option.as_str();
            match option.split_once('=') {
                Some(("size", size)) => spec.size = Some(parse_size(size)?),
                Some(("fps", rate)) => spec.rate = Some(parse_rate(rate)?),
                Some(("format", "auto")) => spec.format = None,
                Some(("format", code)) => {
                    let invalid = |_| CameraSpecError::InvalidFormat(code.to_owned());
                    spec.format = Some(code.parse().map_err(invalid)?);
                }
                Some(("quality", quality)) => spec.quality = Some(parse_quality(quality)?),
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
                Some(("credentials", file)) => spec.credentials = Some(file.into()),
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

impl SourceSpec {
    /// What messages call this kind of source, and which of the options that not all sources have it supports.
    fn supported_options(&self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Auto | Self::Device(_) => {
                ("a device", &["size=", "format=", "quality=", "buffers=", "input=", "standard="])
            }
            Self::Emulated(_) => ("an emulated camera", &[]),
            Self::TestPattern => ("the test pattern", &["size=", "quality="]),
            Self::Exec(_) => ("a program", &[]),
            Self::Rpicam(_) => ("a camera module", &["size=", "quality="]),
            Self::Network(_) => ("a network camera", &["credentials=", "insecure"]),
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

fn parse_size(input: &str) -> Result<Dimensions, CameraSpecError> {
    let side = |side: &str| side.parse().ok().filter(|side| (1..=MAX_SIDE).contains(side));
    input
        .split_once(['x', 'X'])
        .and_then(|(width, height)| Some(Dimensions { width: side(width)?, height: side(height)? }))
        .ok_or_else(|| CameraSpecError::InvalidSize(input.to_owned()))
}

fn parse_rate(input: &str) -> Result<f64, CameraSpecError> {
    input
        .parse()
        .ok()
        .filter(|rate| (MIN_RATE..=MAX_RATE).contains(rate))
        .ok_or_else(|| CameraSpecError::InvalidRate(input.to_owned()))
}

fn parse_quality(input: &str) -> Result<u8, CameraSpecError> {
    let quality = input.parse().ok().filter(|quality| (1..=100).contains(quality));
    quality.ok_or_else(|| CameraSpecError::InvalidQuality(input.to_owned()))
}

fn parse_rotation(input: &str) -> Result<Rotation, CameraSpecError> {
    let rotation = input.parse().ok().and_then(Rotation::from_degrees);
    rotation.ok_or_else(|| CameraSpecError::InvalidRotation(input.to_owned()))
}

/// Returns whether to flip horizontally and vertically.
fn parse_flip(input: &str) -> Result<(bool, bool), CameraSpecError> {
    match input {
        "none" => Ok((false, false)),
        "horizontal" => Ok((true, false)),
        "vertical" => Ok((false, true)),
        "both" => Ok((true, true)),
        _ => Err(CameraSpecError::InvalidFlip(input.to_owned())),
    }
}

fn parse_buffers(input: &str) -> Result<u32, CameraSpecError> {
    let count = input.parse().ok().filter(|count| (MIN_BUFFERS..=MAX_BUFFERS).contains(count));
    count.ok_or_else(|| CameraSpecError::InvalidBuffers(input.to_owned()))
}

fn parse_name(option: &'static str, input: &str) -> Result<String, CameraSpecError> {
    if input.is_empty() { Err(CameraSpecError::EmptyName(option)) } else { Ok(input.to_owned()) }
}

fn parse_control(input: &str) -> Result<(String, i64), CameraSpecError> {
    let control = input.split_once(':').filter(|(name, _)| !name.is_empty());
    control
        .and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .ok_or_else(|| CameraSpecError::InvalidControl(input.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(input: &str) -> Result<CameraSpec, CameraSpecError> {
        input.parse()
    }

    #[test]
    fn all_options_can_be_combined() {
        assert_eq!(
            parse(
                "front=/dev/video0,size=1280x720,fps=29.97,format=yuyv,quality=90,rotate=270,flip=vertical,buffers=8,input=HDMI 0,standard=PAL,control=gain:-3,focus:0,\
                 label=Front door,, left,keep-open"
            ),
            Ok(CameraSpec {
                name: Some("front".into()),
                source: SourceSpec::Device("/dev/video0".into()),
                size: Some(Dimensions { width: 1280, height: 720 }),
                rate: Some(29.97),
                format: Some(FourCc(*b"YUYV")),
                quality: Some(90),
                orientation: Some(Orientation {
                    rotation: Rotation::ThreeQuarters,
                    flip_horizontally: false,
                    flip_vertically: true
                }),
                buffers: Some(8),
                input: Some("HDMI 0".into()),
                standard: Some("PAL".into()),
                controls: vec![("gain".into(), -3), ("focus".into(), 0)],
                label: Some("Front door, left".parse().unwrap()),
                credentials: None,
                is_insecure: false,
                keep_open: true,
            })
        );
    }

    #[test]
    fn sources_are_keywords_or_paths() {
        assert_eq!(parse("auto").unwrap().source, SourceSpec::Auto);
        assert_eq!(parse("emulated").unwrap().source, SourceSpec::Emulated(None));
        assert_eq!(parse("yard=emulated:frames").unwrap().source, SourceSpec::Emulated(Some("frames".into())));
        assert_eq!(parse("emulated:test-pattern").unwrap().source, SourceSpec::TestPattern);
        assert_eq!(
            parse("emulated:./test-pattern").unwrap().source,
            SourceSpec::Emulated(Some("./test-pattern".into()))
        );
        assert_eq!(parse("rpicam").unwrap().source, SourceSpec::Rpicam(0));
        assert_eq!(parse("rpicam:1,size=640x480,fps=30,quality=90").unwrap().source, SourceSpec::Rpicam(1));
        assert_eq!(parse("rpicam:one"), Err(CameraSpecError::InvalidModule("one".into())));
        assert_eq!(parse("in=stdin,fps=2").unwrap().source, SourceSpec::Stdin);
        assert_eq!(parse("pipe:/run/cam").unwrap().source, SourceSpec::Pipe("/run/cam".into()));
        assert_eq!(parse("pipe:"), Err(CameraSpecError::UnknownSource("pipe:".into())));
        assert_eq!(parse("./cam").unwrap().source, SourceSpec::Device("./cam".into()));
        assert_eq!(parse("webcam"), Err(CameraSpecError::UnknownSource("webcam".into())));
        assert_eq!(parse(""), Err(CameraSpecError::UnknownSource("".into())));
        assert_eq!(parse("emulated:"), Err(CameraSpecError::UnknownSource("emulated:".into())));
    }

    #[test]
    fn commands_are_split_into_words() {
        let command = |input: &str| -> Result<String, CameraSpecError> {
            match parse(input)?.source {
                SourceSpec::Exec(CommandLine { program, arguments }) => {
                    Ok([vec![program], arguments].concat().join("|"))
                }
                other => panic!("{other:?}"),
            }
        };
        let with_commas = "door=exec:ffmpeg -vf 'fps=5,,scale=640:-1' -f mjpeg -,label=Door";
        assert_eq!(command(with_commas).unwrap(), "ffmpeg|-vf|fps=5,scale=640:-1|-f|mjpeg|-");
        assert_eq!(parse(with_commas).unwrap().name.as_deref(), Some("door"));
        assert_eq!(command("exec:/opt/cam --mode=fast").unwrap(), "/opt/cam|--mode=fast");
        assert_eq!(command("exec:"), Err(CommandLineError::Empty.into()));
        assert_eq!(command("exec:a | b"), Err(CommandLineError::ShellOperator("|".into()).into()));
    }

    #[test]
    fn network_cameras_have_their_own_options() {
        let spec = parse("pi=http://pi.local:5000/?action=stream,fps=2,credentials=/etc/a,,b,insecure").unwrap();
        assert_eq!(spec.name.as_deref(), Some("pi"));
        assert_eq!(spec.source, SourceSpec::Network("http://pi.local:5000/?action=stream".parse().unwrap()));
        assert_eq!((spec.credentials, spec.is_insecure), (Some("/etc/a,b".into()), true));
        assert_eq!(parse("HTTPS://[::1]/a=b").unwrap().name, None);
        for address in ["http:", "http://", "https://:80/", "httpx://pi/", "http://pi:99999/"] {
            assert_eq!(parse(address), Err(CameraSpecError::InvalidAddress(AddressError::Invalid)), "{address}");
        }
        let unsupported = |kind, option| Err(CameraSpecError::UnsupportedOption(kind, option));
        assert_eq!(parse("http://pi/,size=1x1"), unsupported("a network camera", "size="));
        assert_eq!(parse("emulated,credentials=x"), unsupported("an emulated camera", "credentials="));
        assert_eq!(parse("/dev/video0,insecure"), unsupported("a device", "insecure"));
    }

    #[test]
    fn an_equals_sign_in_a_path_does_not_end_a_name() {
        let by_path = parse("/dev/v4l/by-path/pci=1-usb").unwrap();
        assert_eq!(by_path.name, None);
        assert_eq!(by_path.source, SourceSpec::Device("/dev/v4l/by-path/pci=1-usb".into()));
        assert_eq!(parse("emulated:a=b").unwrap().source, SourceSpec::Emulated(Some("a=b".into())));
    }

    #[test]
    fn a_doubled_comma_belongs_to_the_path_or_value() {
        let folder = |input| match parse(input).unwrap().source {
            SourceSpec::Emulated(Some(folder)) => folder,
            other => panic!("{other:?}"),
        };
        assert_eq!(folder("emulated:a,,b"), PathBuf::from("a,b"));
        assert_eq!(folder("emulated:,,,,"), PathBuf::from(",,"));
        assert_eq!(folder("yard=emulated:a,,,fps=5"), PathBuf::from("a,"), "the first two are one comma");
        assert_eq!(parse("/dev/v4l/by-id/a,,b,fps=5").unwrap().source, SourceSpec::Device("/dev/v4l/by-id/a,b".into()));
        assert_eq!(parse("auto,,fps=5"), Err(CameraSpecError::InvalidName("auto,fps".into())));
        let label = |input: &str| parse(input).unwrap().label.unwrap().to_string();
        assert_eq!(label("auto,label=\u{7384}\u{95a2}=a:b/c,fps=5"), "\u{7384}\u{95a2}=a:b/c");
        assert!(matches!(parse("auto,label="), Err(CameraSpecError::InvalidLabel(..))));
        assert!(matches!(parse("auto,label=a\nb"), Err(CameraSpecError::InvalidLabel(..))));
    }

    #[test]
    fn names_need_no_escaping() {
        for name in ["a", "front-door_2", &"n".repeat(MAX_NAME_LENGTH)] {
            assert_eq!(parse(&format!("{name}=auto")).unwrap().name.as_deref(), Some(name));
        }
        for name in ["", "front door", "caf\u{e9}", "<b>", "a%20b", &"n".repeat(MAX_NAME_LENGTH + 1)] {
            assert_eq!(parse(&format!("{name}=auto")), Err(CameraSpecError::InvalidName(name.into())));
        }
    }

    #[test]
    fn invalid_options_are_rejected() {
        for size in ["", "640", "x480", "640x", "0x0", "-1x4", "640x480x2", "99999x1"] {
            assert_eq!(parse(&format!("/dev/video0,size={size}")), Err(CameraSpecError::InvalidSize(size.into())));
        }
        for rate in ["", "0", "-1", "nan", "inf", "1e9", "fast"] {
            assert_eq!(parse(&format!("emulated,fps={rate}")), Err(CameraSpecError::InvalidRate(rate.into())));
        }
        assert_eq!(parse("auto,colour=red"), Err(CameraSpecError::UnknownOption("colour=red".into())));
        assert_eq!(parse("auto,"), Err(CameraSpecError::UnknownOption("".into())));
        for option in ["size=1x1", "format=MJPG", "quality=1"] {
            let name = &option[..=option.find("=").unwrap()];
            for (source, kind) in
                [("emulated", "an emulated camera"), ("exec:a", "a program"), ("stdin", "standard input")]
            {
                let expected = CameraSpecError::UnsupportedOption(kind, name);
                assert_eq!(parse(&format!("{source},{option}")), Err(expected));
            }
        }
        for code in ["", "MJPEG", "\u{fc}"] {
            assert_eq!(parse(&format!("auto,format={code}")), Err(CameraSpecError::InvalidFormat(code.into())));
        }
        assert_eq!(parse("auto,format=auto").unwrap().format, None);
        for quality in ["", "0", "101", "best"] {
            assert_eq!(parse(&format!("auto,quality={quality}")), Err(CameraSpecError::InvalidQuality(quality.into())));
        }
        for rotation in ["", "45", "360", "-90", "left"] {
            assert_eq!(
                parse(&format!("emulated,rotate={rotation}")),
                Err(CameraSpecError::InvalidRotation(rotation.into()))
            );
        }
        for count in ["", "1", "33", "many"] {
            assert_eq!(parse(&format!("auto,buffers={count}")), Err(CameraSpecError::InvalidBuffers(count.into())));
        }
        assert_eq!(parse("auto,input="), Err(CameraSpecError::EmptyName("input")));
        for flip in ["", "left", "BOTH", "1"] {
            assert_eq!(parse(&format!("emulated,flip={flip}")), Err(CameraSpecError::InvalidFlip(flip.into())));
        }
        assert_eq!(parse("emulated,rotate=0,flip=none").unwrap().orientation, Some(Orientation::default()));
        for control in ["", "gain", "gain:", ":1", "gain:high", "gain:1.5"] {
            assert_eq!(parse(&format!("auto,control={control}")), Err(CameraSpecError::InvalidControl(control.into())));
        }
        assert_eq!(parse("auto,gain:1"), Err(CameraSpecError::UnknownOption("gain:1".into())));
    }
}
