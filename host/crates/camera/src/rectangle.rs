//! A part of a picture.

use crate::dimensions::Dimensions;

/// A part of a picture, in pixels.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Rectangle {
    /// The distance from the left edge of the picture.
    pub left: u32,
    /// The distance from the top edge of the picture.
    pub top: u32,
    /// The size of the part.
    pub size: Dimensions,
}

impl Rectangle {
    /// Whether the rectangle lies within a picture of this size.
    pub fn fits_into(&self, picture: Dimensions) -> bool {
        let fits = |start: u32, length: u32, limit: u32| start.checked_add(length).is_some_and(|end| end <= limit);
        fits(self.left, self.size.width, picture.width) && fits(self.top, self.size.height, picture.height)
    }
}

/// Formats as `640x480+320+120`, the notation of X11 and ImageMagick: size, left, top.
impl std::fmt::Display for Rectangle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{}+{}", self.size, self.left, self.top)
    }
}
