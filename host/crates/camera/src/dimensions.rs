//! The size of a picture.

/// The size of a picture in pixels.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Dimensions {
    /// Width, at least 1.
    pub width: u32,
    /// Height, at least 1.
    pub height: u32,
}

impl Dimensions {
    /// The number of pixels.
    pub fn pixels(self) -> usize {
        self.width as usize * self.height as usize
    }
}

/// Formats as `640x480`.
impl std::fmt::Display for Dimensions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}
