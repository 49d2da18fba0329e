//! What a camera offers: formats, sizes and rates.

use crate::clips::{self, Clip};
use crate::environment::Settings;
use crate::log::say;
use crate::options::Options;

/// A pixel format that the camera knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PixelFormat {
    Mjpg,
    Yuyv,
}

impl PixelFormat {
    /// V4L2's number for it: four characters.
    pub(crate) const fn code(self) -> u32 {
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

/// The time from one frame to the next, in seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Interval {
    pub(crate) numerator: u32,
    pub(crate) denominator: u32,
}

impl Interval {
    /// Of a rate in frames per second, to the thousandth.
    fn of_rate(rate: f64) -> Option<Self> {
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

/// A format and a size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Mode {
    pub(crate) pixels: PixelFormat,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// What a camera offers. In each list the first is the default.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) formats: Vec<PixelFormat>,
    /// Of YUYV.
    sizes: Vec<(u32, u32)>,
    /// The sizes of MJPG, with their frames.
    pub(crate) clips: Vec<Clip>,
    pub(crate) intervals: Vec<Interval>,
}

impl Offer {
    pub(crate) fn read(settings: &Settings) -> Self {
        let text = |name: &str, default: &str| settings.text(name).unwrap_or_else(|| default.to_owned());
        let clips = settings.text("FRAMES").map(|folder| clips::read(folder.as_ref())).unwrap_or_default();
        let size = |text: &str| text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        let sizes: Vec<_> = text("SIZES", "640x480,320x240,1280x720,1920x1080").split(',').filter_map(size).collect();
        let format = |name: &str| match name {
            "MJPG" if !clips.is_empty() => Some(PixelFormat::Mjpg),
            "YUYV" if !sizes.is_empty() => Some(PixelFormat::Yuyv),
            _ => {
                say(0, || format!("format {name} is not available (MJPG needs JPEG files in FAKECAM_FRAMES)"));
                None
            }
        };
        let formats = text("FORMATS", "MJPG,YUYV").split(',').filter_map(format).collect();
        let rates = text("FPS", "30,24,20,15,10,7.5,5");
        let intervals = rates.split(',').filter_map(|rate| Interval::of_rate(rate.parse().ok()?)).collect();
        Self { formats, sizes, clips, intervals }
    }

    /// The sizes of a format; none of a format that is not offered.
    pub(crate) fn sizes(&self, code: u32) -> Vec<(u32, u32)> {
        match self.formats.iter().find(|format| format.code() == code) {
            Some(PixelFormat::Mjpg) => self.clips.iter().map(|clip| (clip.width, clip.height)).collect(),
            Some(PixelFormat::Yuyv) => self.sizes.clone(),
            None => Vec::new(),
        }
    }

    /// The nearest mode that is offered, chosen as the UVC driver does. `None` if nothing is.
    pub(crate) fn nearest(&self, code: u32, width: u32, height: u32) -> Option<Mode> {
        let wanted = self.formats.iter().find(|format| format.code() == code);
        let pixels = *wanted.or(self.formats.first())?;
        let area = |(width, height): (u32, u32)| i64::from(width) * i64::from(height);
        let asked = area((width, height));
        let distance = |size: &(u32, u32)| match *size {
            size if size == (width, height) => -1,
            // The first one.
            _ if asked == 0 => 0,
            size => (area(size) - asked).abs(),
        };
        let (width, height) = self.sizes(pixels.code()).into_iter().min_by_key(distance)?;
        Some(Mode { pixels, width, height })
    }

    /// The nearest interval that is offered.
    pub(crate) fn nearest_interval(&self, wanted: Interval) -> Option<Interval> {
        let distance = |interval: &&Interval| (interval.seconds() - wanted.seconds()).abs();
        self.intervals.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).copied()
    }

    /// The frames of a mode of MJPG.
    pub(crate) fn clip(&self, mode: Mode) -> Option<&Clip> {
        let is_it = |clip: &&Clip| (clip.width, clip.height) == (mode.width, mode.height);
        self.clips.iter().find(is_it).filter(|_| mode.pixels == PixelFormat::Mjpg)
    }

    /// The length of the largest frame of a mode.
    pub(crate) fn largest_frame(&self, mode: Mode, options: &Options) -> u32 {
        /// Room for the comment with the stamp.
        const COMMENT: usize = 128;
        let raw = (mode.width * mode.height * 2) as usize;
        let jpeg = self.clip(mode).map_or(0, |clip| clip.largest() + COMMENT + options.padding());
        u32::try_from(raw.max(jpeg)).unwrap_or(u32::MAX)
    }
}
