//! The pixel formats, sizes and frame intervals that a camera supports.

use crate::environment::Settings;
use crate::jpeg_files::{self, JpegSequence};
use crate::log::log;
use crate::options::Options;

/// A pixel format that the emulation implements.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PixelFormat {
    Mjpg,
    Yuyv,
}

impl PixelFormat {
    /// Returns V4L2's four-character code.
    pub(crate) const fn fourcc(self) -> u32 {
        u32::from_le_bytes(match self {
            Self::Mjpg => *b"MJPG",
            Self::Yuyv => *b"YUYV",
        })
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Mjpg => "Motion-JPEG",
            Self::Yuyv => "YUYV 4:2:2",
        }
    }
}

/// The time between two frames, in seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FrameInterval {
    pub(crate) numerator: u32,
    pub(crate) denominator: u32,
}

impl FrameInterval {
    /// Converts a frame rate in frames per second, rounded to thousandths.
    fn from_rate(rate: f64) -> Option<Self> {
        let denominator = (rate * 1000.0).round() as u32;
        let divisor = gcd(1000, denominator);
        (denominator > 0).then(|| Self { numerator: 1000 / divisor, denominator: denominator / divisor })
    }

    pub(crate) fn seconds(self) -> f64 {
        if self.denominator == 0 { 1e9 } else { f64::from(self.numerator) / f64::from(self.denominator) }
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A pixel format and a size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Mode {
    pub(crate) pixel_format: PixelFormat,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// What a camera supports. The first element of each list is the default.
#[derive(Debug)]
pub(crate) struct SupportedFormats {
    pub(crate) pixel_formats: Vec<PixelFormat>,
    yuyv_sizes: Vec<(u32, u32)>,
    /// The MJPG sizes, with the frames of each.
    jpeg_sequences: Vec<JpegSequence>,
    /// The frame intervals of all formats and sizes.
    pub(crate) intervals: Vec<FrameInterval>,
}

impl SupportedFormats {
    /// Reads the settings and the JPEG files.
    pub(crate) fn read(settings: &Settings) -> Self {
        let text = |name: &str, default: &str| settings.text(name).unwrap_or_else(|| default.to_owned());
        let jpeg_sequences =
            settings.text("FRAMES").map(|folder| jpeg_files::read(folder.as_ref())).unwrap_or_default();
        let size = |text: &str| text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        let yuyv_sizes: Vec<_> =
            text("SIZES", "640x480,320x240,1280x720,1920x1080").split(',').filter_map(size).collect();
        let pixel_format = |name: &str| match name {
            "MJPG" if !jpeg_sequences.is_empty() => Some(PixelFormat::Mjpg),
            "YUYV" if !yuyv_sizes.is_empty() => Some(PixelFormat::Yuyv),
            _ => {
                log(0, || format!("format {name} is not available (MJPG needs JPEG files in FAKECAM_FRAMES)"));
                None
            }
        };
        let pixel_formats = text("FORMATS", "MJPG,YUYV").split(',').filter_map(pixel_format).collect();
        let rates = text("FPS", "30,24,20,15,10,7.5,5");
        let intervals = rates.split(',').filter_map(|rate| FrameInterval::from_rate(rate.parse().ok()?)).collect();
        Self { pixel_formats, yuyv_sizes, jpeg_sequences, intervals }
    }

    /// Returns the sizes of a pixel format. Empty if the camera does not support the format.
    pub(crate) fn sizes(&self, fourcc: u32) -> Vec<(u32, u32)> {
        match self.pixel_formats.iter().find(|format| format.fourcc() == fourcc) {
            Some(PixelFormat::Mjpg) => self.jpeg_sequences.iter().map(|jpegs| (jpegs.width, jpegs.height)).collect(),
            Some(PixelFormat::Yuyv) => self.yuyv_sizes.clone(),
            None => Vec::new(),
        }
    }

    /// Returns the supported mode nearest to the request, chosen like the UVC driver does: the requested pixel format
    /// or the default one, and the size with the nearest area. Returns `None` if the camera supports no mode.
    pub(crate) fn nearest_mode(&self, fourcc: u32, width: u32, height: u32) -> Option<Mode> {
        let requested = self.pixel_formats.iter().find(|format| format.fourcc() == fourcc);
        let pixel_format = *requested.or(self.pixel_formats.first())?;
        let area = |(width, height): (u32, u32)| i64::from(width) * i64::from(height);
        let requested_area = area((width, height));
        let distance = |size: &(u32, u32)| match *size {
            size if size == (width, height) => -1,
            // Selects the first size.
            _ if requested_area == 0 => 0,
            size => (area(size) - requested_area).abs(),
        };
        let (width, height) = self.sizes(pixel_format.fourcc()).into_iter().min_by_key(distance)?;
        Some(Mode { pixel_format, width, height })
    }

    /// Returns the supported interval nearest to this one.
    pub(crate) fn nearest_interval(&self, requested: FrameInterval) -> Option<FrameInterval> {
        let distance = |interval: &&FrameInterval| (interval.seconds() - requested.seconds()).abs();
        self.intervals.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).copied()
    }

    /// Returns the frames of an MJPG mode.
    pub(crate) fn jpeg_sequence(&self, mode: Mode) -> Option<&JpegSequence> {
        let matches = |jpegs: &&JpegSequence| (jpegs.width, jpegs.height) == (mode.width, mode.height);
        self.jpeg_sequences.iter().find(matches).filter(|_| mode.pixel_format == PixelFormat::Mjpg)
    }

    /// Returns the length of the longest frame of a mode, in bytes (`sizeimage`).
    pub(crate) fn max_frame_length(&self, mode: Mode, options: &Options) -> u32 {
        /// Room for the comment that `STAMP` adds.
        const MAX_COMMENT_LENGTH: usize = 128;
        let raw = (mode.width * mode.height * 2) as usize;
        let longest_jpeg = |jpegs: &JpegSequence| jpegs.max_length() + MAX_COMMENT_LENGTH + options.padding();
        let jpeg = self.jpeg_sequence(mode).map_or(0, longest_jpeg);
        u32::try_from(raw.max(jpeg)).unwrap_or(u32::MAX)
    }
}
