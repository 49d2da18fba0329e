//! A filter that writes a line of text into a camera's picture, such as the time.
//!
//! | option | |
//! | --- | --- |
//! | `text=` | the line, by default `{time}`. `{time}` is the time of capture, `{rate}` the measured frame rate |
//! | `hours=` | what is added to UTC, by default 0 |
//! | `at=` | the corner: `top-left` (the default), `top-right`, `bottom-left` or `bottom-right` |
//! | `quality=` | that of the images, 1 to 100, by default 85 |

use std::cell::RefCell;
use std::collections::VecDeque;
use std::iter::repeat_n;

use bindings::exports::hotshoe::camera::filter::{Frame, Guest};
use bindings::hotshoe::camera::frames::{Dimensions, Image};
use bindings::hotshoe::camera::pixels::{self, Area, ErrorCode, Format, Scale};
use embedded_graphics::framebuffer::Framebuffer;
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::pixelcolor::Gray8;
use embedded_graphics::pixelcolor::raw::LittleEndian;
use embedded_graphics::prelude::{DrawTarget as _, Drawable as _, Point, Size};
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

/// The size of a letter, and the free columns on each side of a line.
const LETTER: Size = FONT_10X20.character_size;
const MARGIN: u32 = 4;

/// The longest line, in pixels of the font: 204 letters. It ends beyond the edge of most pictures.
const MAX_WIDTH: usize = 2048;
const HEIGHT: usize = LETTER.height as usize;

/// The luma of the letters and of the ground behind them. Both are grey.
const LETTERS: Gray8 = Gray8::new(235);
const GROUND: Gray8 = Gray8::new(16);

/// The number of intervals between frames of which the rate is the mean.
const MEASURED: usize = 30;

thread_local! {
    static OVERLAY: RefCell<Overlay> = RefCell::new(Overlay::from_environment());
}

impl Guest for Component {
    fn apply(frame: Frame) -> Option<Frame> {
        let drawn = OVERLAY.with_borrow_mut(|overlay| {
            let line = overlay.line(&frame);
            overlay.draw(&frame.image, &line)
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
        let corner = options::text("at", "top-left");
        let (is_bottom, is_right) = match corner.split_once('-') {
            Some((row @ ("top" | "bottom"), column @ ("left" | "right"))) => (row == "bottom", column == "right"),
            _ => panic!("at={corner}: use top-left, top-right, bottom-left or bottom-right"),
        };
        Self {
            text: options::text("text", "{time}"),
            hours: options::number("hours", 0.0, -24.0..=24.0),
            is_right,
            is_bottom,
            quality: options::number("quality", 85, 1..=100),
            times: VecDeque::new(),
        }
    }

    /// The text for a frame.
    fn line(&mut self, frame: &Frame) -> String {
        self.times.push_back(frame.monotonic_time);
        if self.times.len() > MEASURED + 1 {
            self.times.pop_front();
        }
        let seconds = frame.monotonic_time.saturating_sub(self.times[0]) as f64 / 1e9;
        let rate = if seconds > 0.0 { (self.times.len() - 1) as f64 / seconds } else { 0.0 };
        let local = frame.wall_time.seconds.saturating_add_signed((self.hours * 3600.0) as i64);
        let time = date::rfc3339(local, 0).replace('T', " ");
        let time = time.split('.').next().unwrap_or_default();
        self.text.replace("{time}", time).replace("{rate}", &format!("{rate:.1} fps"))
    }

    /// Writes a line into a corner of an image.
    fn draw(&self, image: &Image, line: &str) -> Result<Image, ErrorCode> {
        let picture = pixels::decode(image, Scale::Full, Format::Yuv)?;
        let Dimensions { width, height } = picture.info().dimensions;
        let scale = (height / (LINES * LETTER.height)).max(1);
        let mut label = Framebuffer::<Gray8, _, LittleEndian, MAX_WIDTH, HEIGHT, { MAX_WIDTH * HEIGHT }>::new();
        let Ok(()) = label.clear(GROUND);
        let (start, style) = (Point::new(MARGIN as i32, 0), MonoTextStyle::new(&FONT_10X20, LETTERS));
        // Letters that the font lacks are question marks.
        let Ok(end) = Text::with_baseline(line, start, style, Baseline::Top).draw(&mut label);
        let columns = (end.x as u32 + MARGIN).min(MAX_WIDTH as u32).min(width / scale);
        let rows = LETTER.height.min(height / scale);
        let enlarged = |row: &[u8]| {
            let pixels = row[..columns as usize].iter().flat_map(|luma| repeat_n([*luma, 128, 128], scale as usize));
            pixels.flatten().collect::<Vec<u8>>().repeat(scale as usize)
        };
        let pixels: Vec<u8> = label.data().chunks(MAX_WIDTH).take(rows as usize).flat_map(enlarged).collect();
        let dimensions = Dimensions { width: columns * scale, height: rows * scale };
        let left = if self.is_right { width - dimensions.width } else { 0 };
        let top = if self.is_bottom { height - dimensions.height } else { 0 };
        picture.write(Area { left, top, dimensions }, &pixels)?;
        picture.encode(self.quality)
    }
}
