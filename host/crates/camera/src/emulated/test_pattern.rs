//! The test pattern: colour bars with the time of day, the frame number and two moving bars, so that a screenshot shows
//! how old a picture is and whether frames were lost.

use std::time::{Instant, SystemTime};

use embedded_graphics::Drawable as _;
use embedded_graphics::geometry::{OriginDimensions as _, Point};
use embedded_graphics::mono_font::MonoTextStyleBuilder;
use embedded_graphics::pixelcolor::{Gray8, GrayColor as _};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

use super::frame_clock::FrameClock;
use crate::canvas::{Canvas, FONT};
use crate::dimensions::Dimensions;
use crate::error::SourceError;
use crate::frame::Timestamp;
use crate::frame_counts::LostFrames;
use crate::orientation::Orientation;
use crate::raw::{Layout, PixelFormat, Range};
use crate::source::{Capture, CaptureOutcome, CapturedImage, ImageData, RawImage, Source};
use crate::stream_mode::StreamMode;

/// White, yellow, cyan, green, magenta, red, blue and black at 75 %, as luma, Cb and Cr (ITU-T T.871).
const BARS: [[u8; 3]; 8] = [
    [191, 128, 128],
    [169, 32, 144],
    [134, 160, 32],
    [112, 65, 48],
    [79, 191, 208],
    [57, 96, 224],
    [22, 224, 112],
    [0, 128, 128],
];

/// Cb and Cr of grey.
const NO_COLOUR: u8 = 128;

/// The moving bars are this much narrower than the picture. The bar that moves with the frame number needs as many
/// frames for the way across the picture.
const BAR_STEPS: usize = 64;

/// The largest picture, in pixels: 8K. A drawn picture takes one and a half bytes for each.
const MAX_PIXELS: u64 = 7680 * 4320;

/// A camera that draws a test pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestPattern {
    /// The size of the pictures.
    pub size: Dimensions,
    /// Frames per second, greater than 0.
    pub rate: f64,
    /// The JPEG quality, from 1 to 100.
    pub quality: u8,
}

impl TestPattern {
    /// The default size, which every client can show.
    pub const DEFAULT_SIZE: Dimensions = Dimensions { width: 640, height: 480 };
    /// The default frame rate, that of most cameras.
    pub const DEFAULT_RATE: f64 = 30.0;

    fn layout(&self) -> Layout {
        Layout { format: PixelFormat::Yu12, dimensions: self.size, stride: 0, range: Range::Full }
    }
}

impl Source for TestPattern {
    fn description(&self) -> String {
        format!("emulated: a test pattern, {}, {} fps", self.size, self.rate)
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        if u64::from(self.size.width) * u64::from(self.size.height) > MAX_PIXELS {
            return Err(SourceError::PatternTooLarge { size: self.size });
        }
        Ok(Box::new(Drawing { pattern: *self, background: background(self.size), clock: FrameClock::start(self.rate) }))
    }
}

/// An open test pattern.
struct Drawing {
    pattern: TestPattern,
    background: Vec<u8>,
    clock: FrameClock,
}

impl Capture for Drawing {
    fn mode(&self) -> Option<StreamMode> {
        let TestPattern { size, rate, quality } = self.pattern;
        Some(StreamMode { dimensions: size, rate: Some(rate), format: None, quality: Some(quality) })
    }

    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError> {
        let Some(due) = self.clock.wait(deadline) else { return Ok(CaptureOutcome::default()) };
        let timestamp = Timestamp::now();
        let mut bytes = self.background.clone();
        draw(&mut bytes, self.pattern.size, due.number, timestamp.wall);
        let orientation = Orientation::default();
        let raw = RawImage { bytes, layout: self.pattern.layout(), quality: self.pattern.quality, orientation };
        let image = CapturedImage { data: ImageData::Raw(raw), timestamp };
        Ok(CaptureOutcome { image: Some(image), lost: LostFrames { late: due.late, ..LostFrames::default() } })
    }
}

/// Draws the colour bars, and a black band, as YU12: a plane of luma, then Cb and Cr with half the width and height,
/// rounded up.
fn background(size: Dimensions) -> Vec<u8> {
    let (width, height) = (size.width as usize, size.height as usize);
    let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
    let row = |width: usize, component: fn(&[u8; 3]) -> u8| -> Vec<u8> {
        (0..width).filter_map(|x| BARS.get(x * BARS.len() / width.max(1)).map(component)).collect()
    };
    let planes = [
        (row(width, |bar| bar[0]), height, 0),
        (row(chroma_width, |bar| bar[1]), chroma_height, NO_COLOUR),
        (row(chroma_width, |bar| bar[2]), chroma_height, NO_COLOUR),
    ];
    let mut bytes = Vec::new();
    for (row, rows, black) in planes {
        // The middle third is black, for the text.
        let margin = rows / 3;
        bytes.extend(row.repeat(margin));
        bytes.resize(bytes.len() + row.len() * (rows - 2 * margin), black);
        bytes.extend(row.repeat(margin));
    }
    bytes
}

/// Draws what changes: a vertical bar that moves one step with each frame, a horizontal one that moves down once a
/// second, and the text.
fn draw(bytes: &mut [u8], size: Dimensions, number: u64, time: SystemTime) {
    let (width, height) = (size.width as usize, size.height as usize);
    let Some((luma, _)) = bytes.split_at_mut_checked(width * height) else { return };
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let step = usize::try_from(number % BAR_STEPS as u64).unwrap_or_default();
    let left = step * width / BAR_STEPS;
    for row in luma.chunks_exact_mut(width.max(1)) {
        row.iter_mut().skip(left).take(width.div_ceil(BAR_STEPS)).for_each(|pixel| *pixel = u8::MAX);
    }
    let top = since_epoch.subsec_millis() as usize * height / 1000;
    luma.iter_mut().skip(top * width).take(height.div_ceil(BAR_STEPS) * width).for_each(|pixel| *pixel = u8::MAX);

    let seconds = since_epoch.as_secs();
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    let clock = format!(" {hours:02}:{minutes:02}:{:02}.{:03} UTC ", seconds % 60, since_epoch.subsec_millis());
    let mut canvas = Canvas::new(luma, size);
    let area = canvas.size();
    let middle = Point::new(area.width as i32 / 2, area.height as i32 / 2);
    let style = MonoTextStyleBuilder::new().font(FONT).text_color(Gray8::WHITE).background_color(Gray8::BLACK).build();
    let layout = TextStyleBuilder::new().alignment(Alignment::Center).baseline(Baseline::Middle).build();
    let line_height = FONT.character_size.height as i32;
    for (line, text) in [(-1, clock), (1, format!(" frame {number} "))] {
        let at = middle + Point::new(0, line * line_height);
        // Infallible, see `Canvas::Error`.
        let _ = Text::with_text_style(&text, at, style, layout).draw(&mut canvas);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::raw::Encoder;

    fn pattern(width: u32, height: u32) -> TestPattern {
        TestPattern { size: Dimensions { width, height }, rate: 1000.0, quality: 80 }
    }

    #[test]
    fn pictures_of_any_size_can_be_encoded() {
        for (width, height) in [(640, 480), (641, 481), (1, 1), (7, 3), (4000, 2)] {
            let mut bytes = background(Dimensions { width, height });
            let layout = pattern(width, height).layout();
            assert_eq!(bytes.len(), layout.frame_length());
            draw(&mut bytes, Dimensions { width, height }, u64::MAX, SystemTime::now());
            Encoder::new(layout, 80).unwrap().encode(&bytes).unwrap();
        }
        let error = pattern(32_768, 32_768).open().err().unwrap();
        assert!(error.to_string().contains("32768x32768"), "{error}");
    }

    #[test]
    fn a_picture_shows_its_frame_number_and_its_time() {
        let size = TestPattern::DEFAULT_SIZE;
        let drawn = |number, millis| {
            let mut bytes = background(size);
            draw(&mut bytes, size, number, SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
            bytes
        };
        assert_eq!(drawn(1, 1), drawn(1, 1));
        assert_ne!(drawn(1, 1), drawn(2, 1));
        assert_ne!(drawn(1, 1), drawn(1, 2));
        // The vertical bar is at the left edge in every 64th frame.
        assert_eq!(drawn(0, 500)[..10], [255; 10]);
        assert_eq!(drawn(1, 500)[..10], [191; 10]);
        assert_eq!(drawn(1, 500)[10..20], [255; 10]);
        // The horizontal bar is half-way down after half a second.
        assert_eq!(drawn(0, 500)[240 * 640 + 100], 255);
        assert_eq!(drawn(0, 0)[100], 255);
    }
}
