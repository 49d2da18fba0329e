//! The placeholder: a picture that says why the camera has none.
//!
//! It has the size of the camera's pictures, because some players take the size from the first picture and keep it.

use embedded_graphics::Drawable as _;
use embedded_graphics::geometry::{OriginDimensions as _, Point};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::pixelcolor::{Gray8, GrayColor as _};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use tracing::debug;

use super::canvas::{Canvas, FONT};
use super::dimensions::Dimensions;
use super::encoding::{EncodingError, encode_with};
use super::frame::JpegImage;
use super::raw::{Encoder, Layout, PixelFormat, Range};

/// The size for a camera that was never open.
pub(super) const DEFAULT_SIZE: Dimensions = Dimensions { width: 640, height: 480 };

/// White text on black cannot be mistaken for the camera's view.
const BACKGROUND: u8 = 0;
const HEADING: Gray8 = Gray8::WHITE;
const TEXT: Gray8 = Gray8::new(200);

/// A higher quality makes no visible difference for text.
const QUALITY: u8 = 70;

/// The largest placeholder, in pixels: 8K. The size of a damaged image may be any number.
const MAX_PIXELS: u64 = 7680 * 4320;

/// Draws the placeholder of a camera, in `size` unless that is larger than 8K. Returns `None` and logs the reason if it
/// cannot be encoded, which does no harm.
pub(super) fn draw(size: Dimensions, camera: &str, message: &str) -> Option<JpegImage> {
    let is_too_large = u64::from(size.width) * u64::from(size.height) > MAX_PIXELS;
    let size = if is_too_large { DEFAULT_SIZE } else { size };
    let layout = Layout { format: PixelFormat::Grey, dimensions: size, stride: 0, range: Range::Full };
    let mut pixels = vec![BACKGROUND; size.width as usize * size.height as usize];
    write(&mut Canvas::new(&mut pixels, size), &format!("{camera}: no picture"), message);
    let encoder = Encoder::new(layout, QUALITY).map_err(EncodingError::from);
    let image = encoder.and_then(|mut encoder| encode_with(&mut encoder, &pixels));
    image.inspect_err(|error| debug!("cannot draw a placeholder: {error}")).ok()
}

/// Writes a heading and a text below it, centred. Cuts off what does not fit at the end.
fn write(canvas: &mut Canvas<'_>, heading: &str, text: &str) {
    let letter = FONT.character_size;
    let margin = letter.width;
    let size = canvas.size();
    let columns = (size.width.saturating_sub(2 * margin) / letter.width).max(1) as usize;
    let heading = wrap(heading, columns).into_iter().map(|line| (line, HEADING));
    let text = wrap(text, columns).into_iter().map(|line| (line, TEXT));
    let lines: Vec<_> = heading.chain([(String::new(), TEXT)]).chain(text).collect();
    let height = letter.height.saturating_mul(u32::try_from(lines.len()).unwrap_or(u32::MAX));
    let middle = (size.width / 2) as i32;
    let mut top = (size.height.saturating_sub(height) / 2) as i32;
    let layout = TextStyleBuilder::new().alignment(Alignment::Center).baseline(Baseline::Top).build();
    for (line, colour) in lines {
        let style = MonoTextStyle::new(FONT, colour);
        // Infallible, see `Canvas::Error`.
        let _ = Text::with_text_style(&line, Point::new(middle, top), style, layout).draw(canvas);
        top = top.saturating_add(letter.height as i32);
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
        let huge = draw(Dimensions { width: 65_535, height: 65_535 }, "front", "").unwrap();
        assert_eq!(huge.dimensions, DEFAULT_SIZE);
        let empty = draw(Dimensions { width: 640, height: 480 }, "", "").unwrap();
        let written = draw(Dimensions { width: 640, height: 480 }, "", "no device at /dev/video0").unwrap();
        assert!(written.bytes.len() > empty.bytes.len() + 500);
    }
}
