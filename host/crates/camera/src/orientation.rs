//! How to turn pictures of a camera that is mounted sideways, upside down or behind a mirror.

use std::fmt;

/// A rotation, clockwise.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Rotation {
    /// By 0 degrees.
    #[default]
    None,
    /// By 90 degrees.
    Quarter,
    /// By 180 degrees.
    Half,
    /// By 270 degrees.
    ThreeQuarters,
}

impl Rotation {
    /// All rotations, each by 90 degrees more than the one before.
    const ALL: [Self; 4] = [Self::None, Self::Quarter, Self::Half, Self::ThreeQuarters];

    /// Returns the rotation by this many degrees, if it is a multiple of 90 below 360.
    pub fn from_degrees(degrees: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|rotation| rotation.degrees() == degrees)
    }

    /// The angle in degrees.
    pub fn degrees(self) -> u32 {
        self as u32 * 90
    }
}

/// How to turn the pictures of a camera so that they are upright: first rotate them, then flip them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Orientation {
    /// The rotation.
    pub rotation: Rotation,
    /// Whether to swap left and right.
    pub flip_horizontally: bool,
    /// Whether to swap top and bottom.
    pub flip_vertically: bool,
}

impl Orientation {
    /// The value of the EXIF tag Orientation (EXIF 2.32, section 4.6.4, tag 274) that makes decoders turn the picture
    /// like this. 1 changes nothing.
    pub fn exif_value(self) -> u8 {
        // Flipping both ways is the same as rotating by 180 degrees.
        let turns = (self.rotation as usize + if self.flip_vertically { 2 } else { 0 }) % 4;
        let is_mirrored = self.flip_horizontally != self.flip_vertically;
        // For each number of quarter turns: the value without and with a horizontal flip after them.
        const VALUES: [[u8; 2]; 4] = [[1, 2], [6, 5], [3, 4], [8, 7]];
        VALUES.get(turns).and_then(|values| values.get(usize::from(is_mirrored))).copied().unwrap_or(1)
    }

    /// Returns the orientation with this value of the EXIF tag, 1 to 8.
    pub fn from_exif_value(value: u16) -> Option<Self> {
        let all = Rotation::ALL.into_iter().flat_map(|rotation| {
            [false, true].map(|flip_horizontally| Self { rotation, flip_horizontally, flip_vertically: false })
        });
        all.into_iter().find(|orientation| u16::from(orientation.exif_value()) == value)
    }

    /// Whether pictures stay as they are.
    pub fn is_upright(self) -> bool {
        self.exif_value() == 1
    }

    /// Returns the two flips that are the same as this orientation, horizontal and vertical, if it swaps no sides.
    pub fn as_flips(self) -> Option<(bool, bool)> {
        match self.exif_value() {
            1 => Some((false, false)),
            2 => Some((true, false)),
            3 => Some((true, true)),
            4 => Some((false, true)),
            _ => None,
        }
    }
}

/// Formats as the options of a camera: `rotate=90,flip=horizontal`.
impl fmt::Display for Orientation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flip = match (self.flip_horizontally, self.flip_vertically) {
            (false, false) => return write!(f, "rotate={}", self.rotation.degrees()),
            (true, false) => "horizontal",
            (false, true) => "vertical",
            (true, true) => "both",
        };
        match self.rotation {
            Rotation::None => write!(f, "flip={flip}"),
            rotation => write!(f, "rotate={},flip={flip}", rotation.degrees()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of 2x2 pixels, row by row.
    type Picture = [u8; 4];

    fn rotated([a, b, c, d]: Picture) -> Picture {
        [c, a, d, b]
    }

    fn flipped([a, b, c, d]: Picture) -> Picture {
        [b, a, d, c]
    }

    /// What a decoder does for each value, from the places of row 0 and column 0 in the standard.
    fn decoded(value: u8, [a, b, c, d]: Picture) -> Picture {
        match value {
            1 => [a, b, c, d],
            2 => [b, a, d, c],
            3 => [d, c, b, a],
            4 => [c, d, a, b],
            5 => [a, c, b, d],
            6 => [c, a, d, b],
            7 => [d, b, c, a],
            8 => [b, d, a, c],
            _ => panic!("{value}"),
        }
    }

    #[test]
    fn exif_values_turn_pictures_as_requested() {
        for rotation in Rotation::ALL {
            for (flip_horizontally, flip_vertically) in [(false, false), (true, false), (false, true), (true, true)] {
                let orientation = Orientation { rotation, flip_horizontally, flip_vertically };
                let mut expected = *b"abcd";
                for _ in 0..rotation.degrees() / 90 {
                    expected = rotated(expected);
                }
                if flip_horizontally {
                    expected = flipped(expected);
                }
                if flip_vertically {
                    expected = rotated(rotated(flipped(expected)));
                }
                assert_eq!(decoded(orientation.exif_value(), *b"abcd"), expected, "{orientation}");
                assert_eq!(orientation.is_upright(), expected == *b"abcd");
                if let Some((horizontal, vertical)) = orientation.as_flips() {
                    let flips =
                        Orientation { flip_horizontally: horizontal, flip_vertically: vertical, ..Default::default() };
                    assert_eq!(flips.exif_value(), orientation.exif_value());
                } else {
                    assert!(rotation.degrees() % 180 == 90);
                }
            }
        }
    }

    #[test]
    fn only_multiples_of_90_degrees_are_rotations() {
        assert_eq!(Rotation::from_degrees(270), Some(Rotation::ThreeQuarters));
        assert_eq!((Rotation::from_degrees(45), Rotation::from_degrees(360)), (None, None));
    }
}
