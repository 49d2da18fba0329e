//! The placeholder: a picture that says why the camera has none.
//!
//! It has the size of the camera's pictures, because some players take the size from the first picture and keep it.

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
use super::encoding::{EncodingError, encode_with};
use super::frame::JpegImage;
use super::raw::{Encoder, Layout, PixelFormat, Range};

const FONT: &MonoFont = &FONT_10X20;

/// The font is scaled so that at least this many lines fit. Then the text is readable on a phone as well; at 640x480, a
/// line has 30 characters.
const MIN_LINES: u32 = 12;

/// White text on black cannot be mistaken for the camera's view.
const BACKGROUND: u8 = 0;
const HEADING: Gray8 = Gray8::WHITE;
const TEXT: Gray8 = Gray8::new(200);

/// A higher quality makes no visible difference for text.
const QUALITY: u8 = 70;

/// Draws the placeholder of a camera. Returns `None` and logs the reason if it cannot be encoded, which does no harm.
pub(super) fn draw(size: Dimensions, camera: &str, message: &str) -> Option<JpegImage> {
    let layout = Layout { format: PixelFormat::Grey, dimensions: size, stride: 0, range: Range::Full };
    let mut canvas = Canvas::new(size);
    canvas.write(&format!("{camera}: no picture"), message);
    let encoder = Encoder::new(layout, QUALITY).map_err(EncodingError::from);
    let image = encoder.and_then(|mut encoder| encode_with(&mut encoder, &canvas.pixels));
    image.inspect_err(|error| debug!("cannot draw a placeholder: {error}")).ok()
}

/// A grey picture, drawn in large pixels.
struct Canvas {
    pixels: Vec<u8>,
    width: usize,
    /// The width and height of a drawn pixel.
    scale: usize,
    /// In drawn pixels.
    size: Size,
}

impl Canvas {
    fn new(size: Dimensions) -> Self {
        let scale = (size.height / (MIN_LINES * FONT.character_size.height)).max(1);
        Self {
            pixels: vec![BACKGROUND; size.width as usize * size.height as usize],
            width: size.width as usize,
            scale: scale as usize,
            size: Size::new(size.width / scale, size.height / scale),
        }
    }

    /// Writes a heading and a text below it, centred. Cuts off what does not fit at the end.
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
            // Infallible, see `Canvas::Error`.
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
            // Inside the area, neither is negative.
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

/// Breaks text into lines of `columns` characters, between words if possible.
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
            // Split a word that is longer than a line, such as a path.
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
    fn text_wraps_between_words_without_losing_any() {
        assert_eq!(wrap("no device at /dev/video0", 10), ["no device", "at", "/dev/video", "0"]);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("abc", 1), ["a", "b", "c"]);
    }

    #[test]
    fn the_placeholder_has_the_requested_size_and_contains_text() {
        for (width, height) in [(640, 480), (1920, 1080), (321, 241), (16, 16), (1, 1)] {
            let image = draw(Dimensions { width, height }, "front", "no device at /dev/video0").unwrap();
            assert_eq!(image.dimensions, Dimensions { width, height });
        }
        let empty = draw(Dimensions { width: 640, height: 480 }, "", "").unwrap();
        let written = draw(Dimensions { width: 640, height: 480 }, "", "no device at /dev/video0").unwrap();
        assert!(written.bytes.len() > empty.bytes.len() + 500);
    }
}
