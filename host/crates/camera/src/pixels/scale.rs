//! How much smaller a decoded picture is than its image.

use crate::dimensions::Dimensions;

/// How much smaller a decoded picture is than its image, in each direction.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scale {
    /// The size of the image.
    Full,
    /// 1/2.
    Half,
    /// 1/4.
    Quarter,
    /// 1/8.
    Eighth,
}

impl Scale {
    /// All scales.
    pub const ALL: [Self; 4] = [Self::Full, Self::Half, Self::Quarter, Self::Eighth];

    /// How many pixels of the image in each direction become one.
    pub fn divisor(self) -> u32 {
        match self {
            Self::Full => 1,
            Self::Half => 2,
            Self::Quarter => 4,
            Self::Eighth => 8,
        }
    }

    /// Returns the size of an image at this scale, rounded up.
    pub fn apply(self, size: Dimensions) -> Dimensions {
        let divisor = self.divisor();
        Dimensions { width: size.width.div_ceil(divisor), height: size.height.div_ceil(divisor) }
    }
}
