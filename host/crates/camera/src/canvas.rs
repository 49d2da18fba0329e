//! A grey picture to draw on.

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions as _, OriginDimensions, Size};
use embedded_graphics::mono_font::MonoFont;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::pixelcolor::{Gray8, GrayColor as _};

use super::dimensions::Dimensions;

/// The font of all text.
pub(crate) const FONT: &MonoFont = &FONT_10X20;

/// The font is scaled so that at least this many lines fit. Then the text is readable on a phone as well; at 640x480, a
/// line has 30 characters.
const MIN_LINES: u32 = 12;

/// A grey picture, drawn in large pixels.
pub(crate) struct Canvas<'a> {
    pixels: &'a mut [u8],
    width: usize,
    /// The width and height of a drawn pixel.
    scale: usize,
    /// In drawn pixels.
    size: Size,
}

impl<'a> Canvas<'a> {
    /// Draws on rows of `size.width` bytes, without padding.
    pub(crate) fn new(pixels: &'a mut [u8], size: Dimensions) -> Self {
        let scale = (size.height / (MIN_LINES * FONT.character_size.height)).max(1);
        Self {
            pixels,
            width: (size.width as usize).max(1),
            scale: scale as usize,
            size: Size::new(size.width / scale, size.height / scale),
        }
    }
}

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas<'_> {
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
