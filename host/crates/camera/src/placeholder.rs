//! The picture that says why there is none.
//!
//! It has the size of the camera's own pictures, so that players which take the size from the first one go on.

use embedded_graphics::Drawable as _;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions as _, OriginDimensions, Point, Size};
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::{Gray8, GrayColor as _};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use tracing::debug;

use super::dimensions::Dimensions;
use super::encoding::{self, EncodingError};
use super::frame::JpegImage;
use super::raw::{Encoder, Layout, PixelFormat, Range};

const FONT: &MonoFont = &FONT_10X20;

/// Pictures have room for this many lines of text or a few more, so that the text can be read on a phone too: a line of
/// 640x480 has 30 letters.
const LINES: u32 = 12;

/// White letters on black leave no doubt that this is not what the camera sees.
const BACKGROUND: u8 = 0;
const HEADING: Gray8 = Gray8::WHITE;
const TEXT: Gray8 = Gray8::new(200);

/// Of flat areas and letters, more does not show.
const QUALITY: u8 = 70;

/// Draw the picture for the camera of this name. None where it cannot be encoded, which the log then tells: nothing
/// depends on it.
pub(super) fn draw(size: Dimensions, camera: &str, message: &str) -> Option<JpegImage> {
    let layout = Layout { format: PixelFormat::Grey, dimensions: size, stride: 0, range: Range::Full };
    let mut canvas = Canvas::new(size);
    canvas.write(&format!("{camera}: no picture"), message);
    let encoder = Encoder::new(layout, QUALITY).map_err(EncodingError::from);
    let picture = encoder.and_then(|mut encoder| encoding::picture(&mut encoder, &canvas.pixels));
    picture.inspect_err(|error| debug!("no placeholder: {error}")).ok()
}

/// Pixels of grey, drawn to in larger ones.
struct Canvas {
    pixels: Vec<u8>,
    width: usize,
    /// How many pixels each drawn one is wide and high.
    scale: usize,
    /// In drawn pixels.
    size: Size,
}

impl Canvas {
    fn new(size: Dimensions) -> Self {
        let scale = (size.height / (LINES * FONT.character_size.height)).max(1);
        Self {
            pixels: vec![BACKGROUND; size.width as usize * size.height as usize],
            width: size.width as usize,
            scale: scale as usize,
            size: Size::new(size.width / scale, size.height / scale),
        }
    }

    /// Write a heading, and text below it, in the middle. What has no room is cut off at the end.
    fn write(&mut self, heading: &str, text: &str) {
        let letter = FONT.character_size;
        let margin = letter.width;
        let columns = (self.size.width.saturating_sub(2 * margin) / letter.width).max(1) as usize;
        let heading = wrap(heading, columns).into_iter().map(|line| (line, HEADING));
        let text = wrap(text, columns).into_iter().map(|line| (line, TEXT));
        let lines: Vec<_> = heading.chain([(String::new(), TEXT)]).chain(text).collect();
        let height = letter.height.saturating_mul(u32::try_from(lines.len()).unwrap_or(u32::MAX));
        let middle = (self.size.width / 2) as i32;
        let mut top = (self.size.height.saturating_sub(height) / 2) as i32;
        let layout = TextStyleBuilder::new().alignment(Alignment::Center).baseline(Baseline::Top).build();
        for (line, colour) in lines {
            let style = MonoTextStyle::new(FONT, colour);
            // Drawing to memory does not fail.
            let _ = Text::with_text_style(&line, Point::new(middle, top), style, layout).draw(self);
            top = top.saturating_add(letter.height as i32);
        }
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas {
    type Color = Gray8;
    type Error = core::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Gray8>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        let area = self.bounding_box();
        for Pixel(at, colour) in pixels {
            // Within the area, neither is negative.
            let (true, Ok(x), Ok(y)) = (area.contains(at), usize::try_from(at.x), usize::try_from(at.y)) else {
                continue;
            };
            for row in self.pixels.chunks_exact_mut(self.width).skip(y * self.scale).take(self.scale) {
                row.iter_mut().skip(x * self.scale).take(self.scale).for_each(|pixel| *pixel = colour.luma());
            }
        }
        Ok(())
    }
}

/// Break text into lines of so many letters, between words where there is room.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        while let Some(line) = lines.last_mut() {
            let gap = usize::from(!line.is_empty());
            let room = columns.saturating_sub(line.chars().count() + gap);
            if word.len() <= room {
                line.extend(std::iter::repeat_n(' ', gap).chain(word));
                break;
            }
            // A path may be longer than a line.
            if gap == 0 {
                line.extend(word.drain(..columns.min(word.len())));
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words_and_nothing_is_lost() {
        assert_eq!(wrap("no device at /dev/video0", 10), ["no device", "at", "/dev/video", "0"]);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("abc", 1), ["a", "b", "c"]);
    }

    #[test]
    fn it_has_the_size_that_was_asked_for_and_letters_in_it() {
        for (width, height) in [(640, 480), (1920, 1080), (321, 241), (16, 16), (1, 1)] {
            let picture = draw(Dimensions { width, height }, "front", "no device at /dev/video0").unwrap();
            assert_eq!(picture.dimensions, Dimensions { width, height });
        }
        let empty = draw(Dimensions { width: 640, height: 480 }, "", "").unwrap();
        let written = draw(Dimensions { width: 640, height: 480 }, "", "no device at /dev/video0").unwrap();
        assert!(written.bytes.len() > empty.bytes.len() + 500);
    }
}
