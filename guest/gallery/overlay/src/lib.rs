//! A filter that writes a line of text into a camera's picture, such as the time.
//!
//! | option | |
//! | --- | --- |
//! | `text=` | the line, by default `{time}`. `{time}` is the time of capture, `{rate}` the measured frame rate |
//! | `hours=` | what is added to UTC, by default 0 |
//! | `at=` | the corner: `top-left` (the default), `top-right`, `bottom-left` or `bottom-right` |
//! | `quality=` | that of the images, 1 to 100, by default 85 |

use std::cell::OnceCell;
use std::collections::VecDeque;

use bindings::exports::hotshoe::camera::filter::{Frame, Guest};
use bindings::hotshoe::camera::frames::{Dimensions, Image};
use bindings::hotshoe::camera::pixels::{self, Area, ErrorCode, Format, Scale};
use embedded_graphics::Drawable as _;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::text::{Baseline, Text};

extern crate alloc;

// The built-in guest formats dates as well.
#[path = "../../../src/date.rs"]
mod date;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit/camera",
        world: "hotshoe:camera/frame-filter",
        generate_all,
    });
}

struct Component;

bindings::export!(Component with_types_in bindings);

/// As many lines of text as fit into a picture. The letters are larger in a larger picture.
const LINES: u32 = 24;

/// The colours of the background and the letters.
const COLOURS: [[u8; 3]; 2] = [[16, 128, 128], [235, 128, 128]];

/// The number of frames of which the rate is the mean.
const MEASURED: usize = 30;

thread_local! {
    static OVERLAY: OnceCell<std::cell::RefCell<Overlay>> = const { OnceCell::new() };
}

impl Guest for Component {
    fn apply(frame: Frame) -> Option<Frame> {
        let drawn = OVERLAY.with(|overlay| {
            let overlay = overlay.get_or_init(|| std::cell::RefCell::new(Overlay::from_environment()));
            let line = overlay.borrow_mut().line(&frame);
            overlay.borrow().draw(&frame.image, &line)
        });
        match drawn {
            Ok(image) => Some(Frame { image, ..frame }),
            Err(error) => {
                eprintln!("frame {} is shown without text: {error:?}", frame.sequence);
                Some(frame)
            }
        }
    }
}

struct Overlay {
    text: String,
    hours: f64,
    is_right: bool,
    is_bottom: bool,
    quality: u8,
    /// The times of the last frames, in nanoseconds.
    times: VecDeque<u64>,
}

impl Overlay {
    fn from_environment() -> Self {
        let option = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        let corner = option("at", "top-left");
        let (is_bottom, is_right) = match corner.split_once('-') {
            Some((row @ ("top" | "bottom"), column @ ("left" | "right"))) => (row == "bottom", column == "right"),
            _ => panic!("at={corner}: use top-left, top-right, bottom-left or bottom-right"),
        };
        let hours = option("hours", "0").parse().ok().filter(|hours: &f64| hours.abs() <= 24.0);
        let quality = option("quality", "85").parse().ok().filter(|quality| (1..=100).contains(quality));
        Self {
            text: option("text", "{time}"),
            hours: hours.expect("hours= is a number from -24 to 24"),
            is_right,
            is_bottom,
            quality: quality.expect("quality= is a number from 1 to 100"),
            times: VecDeque::new(),
        }
    }

    /// The text for a frame.
    fn line(&mut self, frame: &Frame) -> String {
        self.times.push_back(frame.monotonic_time);
        let first = if self.times.len() > MEASURED { self.times.pop_front() } else { self.times.front().copied() };
        let seconds = frame.monotonic_time.saturating_sub(first.unwrap_or_default()) as f64 / 1e9;
        let intervals = self.times.len().min(MEASURED) - usize::from(self.times.len() < MEASURED);
        let rate = if seconds > 0.0 { intervals as f64 / seconds } else { 0.0 };
        let local = frame.wall_time.seconds.saturating_add_signed((self.hours * 3600.0) as i64);
        let time = date::rfc3339(local, 0).replace('T', " ");
        let time = time.split('.').next().unwrap_or_default();
        self.text.replace("{time}", time).replace("{rate}", &format!("{rate:.1} fps"))
    }

    /// Writes a line into a corner of an image.
    fn draw(&self, image: &Image, line: &str) -> Result<Image, ErrorCode> {
        let picture = pixels::decode(image, Scale::Full, Format::Yuv)?;
        let size = picture.info().dimensions;
        let scale = (size.height / (LINES * FONT_10X20.character_size.height)).max(1);
        let mut label = Label::new(line, Size::new(size.width / scale, size.height / scale));
        // Letters that the font lacks are question marks.
        let _ = Text::with_baseline(
            line,
            Point::new(4, 0),
            MonoTextStyle::new(&FONT_10X20, BinaryColor::On),
            Baseline::Top,
        )
        .draw(&mut label);
        let dimensions = Dimensions { width: label.size.width * scale, height: label.size.height * scale };
        let left = if self.is_right { size.width - dimensions.width } else { 0 };
        let top = if self.is_bottom { size.height - dimensions.height } else { 0 };
        picture.write(Area { left, top, dimensions }, &label.enlarged(scale as usize))?;
        picture.encode(self.quality)
    }
}

/// Letters on a dark ground.
struct Label {
    size: Size,
    is_letter: Vec<bool>,
}

impl Label {
    /// As large as the line needs, but for at most this size.
    fn new(line: &str, limit: Size) -> Self {
        let letters = FONT_10X20.character_size;
        let width = line.chars().count() as u32 * letters.width + 8;
        let size = Size::new(width, letters.height).component_min(limit);
        Self { size, is_letter: vec![false; (size.width * size.height) as usize] }
    }

    fn enlarged(&self, scale: usize) -> Vec<u8> {
        let row = |row: &[bool]| {
            let pixels =
                row.iter().flat_map(|is_letter| [COLOURS[usize::from(*is_letter)]].into_iter().cycle().take(scale));
            pixels.flatten().collect::<Vec<u8>>().repeat(scale)
        };
        self.is_letter.chunks(self.size.width as usize).flat_map(row).collect()
    }
}

impl OriginDimensions for Label {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Label {
    type Color = BinaryColor;
    type Error = core::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(Point { x, y }, colour) in pixels {
            if (0..self.size.width as i32).contains(&x) && (0..self.size.height as i32).contains(&y) {
                self.is_letter[y as usize * self.size.width as usize + x as usize] = colour.is_on();
            }
        }
        Ok(())
    }
}
