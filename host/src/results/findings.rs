//! The results of one frame, and their limits.

use crate::camera::text::affects_display;

/// The most boxes of one frame. A page that shows more shows nothing anymore.
pub const MAX_BOXES: usize = 128;

/// The most numbers, and the most texts, of one frame.
pub const MAX_VALUES: usize = 64;

/// The longest label or name, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// The most bytes that all results of one frame take together. Enough for all boxes with long labels, and for a page of
/// text.
pub const MAX_ENTRY_BYTES: usize = 16 << 10;

/// The largest absolute value of a number. Up to here, a decimal number with one digit after the point is exact.
pub const MAX_NUMBER: f64 = 1e15;

/// What a box takes besides its label, in bytes: five numbers.
const BOX_BYTES: usize = 40;

/// What a number takes besides its name, in bytes.
const NUMBER_BYTES: usize = 8;

/// The most that the allocator adds to a text, in bytes: its own data, and what it rounds up.
const ALLOCATION_BYTES: usize = 32;

/// Why results are refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FindingsError {
    /// There are more than [`MAX_BOXES`].
    #[error("a frame can have at most {MAX_BOXES} boxes")]
    TooManyBoxes,
    /// There are more than [`MAX_VALUES`] numbers or texts.
    #[error("a frame can have at most {MAX_VALUES} numbers and {MAX_VALUES} texts")]
    TooManyValues,
    /// They are larger than [`MAX_ENTRY_BYTES`].
    #[error("the results of a frame can take at most {MAX_ENTRY_BYTES} bytes")]
    TooLarge,
    /// A camera has more zones than this.
    #[error("a camera can have at most {0} zones")]
    TooManyZones(usize),
    /// A zone has more corners than this.
    #[error("a zone can have at most {0} corners")]
    TooManyCorners(usize),
    /// A label or name is empty, too long, or has characters that affect the display of the text around it.
    #[error(
        "a label or name has 1 to {MAX_NAME_BYTES} bytes without control characters and those that change the direction of text"
    )]
    InvalidName,
    /// A score is not a number from 0 to 1.
    #[error("the score of a box is a number from 0 to 1")]
    InvalidScore,
    /// A coordinate is not finite, or a width or height is negative.
    #[error("the coordinates of a box are finite, and its width and height are not negative")]
    InvalidBox,
    /// A zone has fewer than 3 corners, or a corner is outside of the picture.
    #[error("a zone has at least 3 corners, whose coordinates are from 0 to 1")]
    InvalidZone,
    /// A number is not finite, or too large.
    #[error("a number is finite, and from -1e15 to 1e15")]
    InvalidNumber,
}

impl FindingsError {
    /// Whether a limit on the number or size of results is exceeded, rather than a value out of range.
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::TooManyBoxes | Self::TooManyValues | Self::TooLarge | Self::TooManyZones(_) | Self::TooManyCorners(_)
        )
    }
}

/// A rectangle in which something was found. Coordinates are relative to the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundingBox {
    /// What was found.
    pub label: String,
    /// How certain it is, from 0 to 1.
    pub score: f64,
    /// The left edge.
    pub left: f64,
    /// The top edge.
    pub top: f64,
    /// The width.
    pub width: f64,
    /// The height.
    pub height: f64,
}

/// A number that describes a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
}

/// A text that describes a frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Text {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What was found in a frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// The rectangles.
    pub boxes: Vec<BoundingBox>,
    /// The numbers, each with another name.
    pub numbers: Vec<Number>,
    /// The texts, each with another name.
    pub texts: Vec<Text>,
}

impl BoundingBox {
    /// Cuts off what is outside of the picture.
    fn clamped(self) -> Result<Self, FindingsError> {
        let Self { label, score, left, top, width, height } = self;
        check_name(&label)?;
        if !(0.0..=1.0).contains(&score) {
            return Err(FindingsError::InvalidScore);
        }
        if ![left, top, width, height].into_iter().all(f64::is_finite) || width < 0.0 || height < 0.0 {
            return Err(FindingsError::InvalidBox);
        }
        let cut = |start: f64, length: f64| (start.clamp(0.0, 1.0), (start + length).clamp(0.0, 1.0));
        let ((left, right), (top, bottom)) = (cut(left, width), cut(top, height));
        Ok(Self { label, score, left, top, width: right - left, height: bottom - top })
    }
}

impl Findings {
    /// Checks all values, and cuts off what is outside of the picture. The last of several numbers or texts with the
    /// same name wins.
    ///
    /// # Errors
    ///
    /// Fails if a limit is exceeded or a value is out of range.
    pub fn checked(self) -> Result<Self, FindingsError> {
        // Before anything is compared with everything else.
        self.check_limits()?;
        let boxes = self.boxes.into_iter().map(BoundingBox::clamped).collect::<Result<_, _>>()?;
        let mut checked = Self { boxes, ..Self::default() };
        for number in self.numbers {
            check_name(&number.name)?;
            if !number.value.is_finite() || number.value.abs() > MAX_NUMBER {
                return Err(FindingsError::InvalidNumber);
            }
            checked.set_number(number);
        }
        for text in self.texts {
            check_name(&text.name)?;
            checked.set_text(text);
        }
        Ok(checked)
    }

    /// Adds further results of the same frame: boxes are added, numbers and texts replace those of the same name.
    ///
    /// # Errors
    ///
    /// Fails if both together exceed a limit.
    pub fn merged(mut self, other: Self) -> Result<Self, FindingsError> {
        self.boxes.extend(other.boxes);
        other.numbers.into_iter().for_each(|number| self.set_number(number));
        other.texts.into_iter().for_each(|text| self.set_text(text));
        self.check_limits()?;
        // They may be kept for long.
        self.boxes.shrink_to_fit();
        self.numbers.shrink_to_fit();
        self.texts.shrink_to_fit();
        Ok(self)
    }

    /// How many bytes of memory they take.
    pub(super) fn memory(&self) -> usize {
        let text = |text: &String| text.capacity() + ALLOCATION_BYTES;
        let boxes: usize = self.boxes.iter().map(|found| text(&found.label)).sum();
        let numbers: usize = self.numbers.iter().map(|number| text(&number.name)).sum();
        let texts: usize = self.texts.iter().map(|entry| text(&entry.name) + text(&entry.value)).sum();
        boxes + numbers + texts + size_of_val(&*self.boxes) + size_of_val(&*self.numbers) + size_of_val(&*self.texts)
    }

    /// How many bytes of content they have.
    pub fn bytes(&self) -> usize {
        let boxes: usize = self.boxes.iter().map(|found| found.label.len() + BOX_BYTES).sum();
        let numbers: usize = self.numbers.iter().map(|number| number.name.len() + NUMBER_BYTES).sum();
        let texts: usize = self.texts.iter().map(|text| text.name.len() + text.value.len()).sum();
        boxes + numbers + texts
    }

    fn check_limits(&self) -> Result<(), FindingsError> {
        if self.boxes.len() > MAX_BOXES {
            return Err(FindingsError::TooManyBoxes);
        }
        if self.numbers.len() > MAX_VALUES || self.texts.len() > MAX_VALUES {
            return Err(FindingsError::TooManyValues);
        }
        if self.bytes() > MAX_ENTRY_BYTES { Err(FindingsError::TooLarge) } else { Ok(()) }
    }

    fn set_number(&mut self, number: Number) {
        match self.numbers.iter_mut().find(|found| found.name == number.name) {
            Some(found) => *found = number,
            None => self.numbers.push(number),
        }
    }

    fn set_text(&mut self, text: Text) {
        match self.texts.iter_mut().find(|found| found.name == text.name) {
            Some(found) => *found = text,
            None => self.texts.push(text),
        }
    }
}

/// Checks a label or name.
pub(super) fn check_name(name: &str) -> Result<(), FindingsError> {
    let is_valid = (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.chars().any(affects_display);
    if is_valid { Ok(()) } else { Err(FindingsError::InvalidName) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(label: &str, score: f64, [left, top, width, height]: [f64; 4]) -> Findings {
        let found = BoundingBox { label: label.into(), score, left, top, width, height };
        Findings { boxes: vec![found], ..Findings::default() }
    }

    fn number(name: &str, value: f64) -> Findings {
        Findings { numbers: vec![Number { name: name.into(), value }], ..Findings::default() }
    }

    fn text(name: &str, value: &str) -> Findings {
        Findings { texts: vec![Text { name: name.into(), value: value.into() }], ..Findings::default() }
    }

    #[test]
    fn boxes_are_cut_off_at_the_edges_of_the_picture() {
        let checked = boxed("face", 1.0, [-0.5, 0.25, 1.0, 9.0]).checked().unwrap();
        assert_eq!(checked, boxed("face", 1.0, [0.0, 0.25, 0.5, 0.75]));
        assert_eq!(
            boxed("face", 0.0, [2.0, 0.0, 1.0, 0.0]).checked().unwrap(),
            boxed("face", 0.0, [1.0, 0.0, 0.0, 0.0])
        );
    }

    #[test]
    fn values_out_of_range_are_refused() {
        const FULL: [f64; 4] = [0.0, 0.0, 1.0, 1.0];
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        for (findings, error) in [
            (boxed("", 1.0, FULL), FindingsError::InvalidName),
            (boxed("a\nb", 1.0, FULL), FindingsError::InvalidName),
            (boxed("a\u{202e}b", 1.0, FULL), FindingsError::InvalidName),
            (number("\u{2066}n", 1.0), FindingsError::InvalidName),
            (text("t\u{2028}", ""), FindingsError::InvalidName),
            (boxed(&long, 1.0, FULL), FindingsError::InvalidName),
            (boxed("a", f64::NAN, FULL), FindingsError::InvalidScore),
            (boxed("a", 1.01, FULL), FindingsError::InvalidScore),
            (boxed("a", -0.01, FULL), FindingsError::InvalidScore),
            (boxed("a", 1.0, [f64::NAN, 0.0, 1.0, 1.0]), FindingsError::InvalidBox),
            (boxed("a", 1.0, [0.0, 0.0, f64::INFINITY, 1.0]), FindingsError::InvalidBox),
            (boxed("a", 1.0, [0.0, 0.0, 1.0, -0.1]), FindingsError::InvalidBox),
            (number("", 1.0), FindingsError::InvalidName),
            (number("n", f64::NAN), FindingsError::InvalidNumber),
            (number("n", f64::NEG_INFINITY), FindingsError::InvalidNumber),
            (number("n", 1.1e15), FindingsError::InvalidNumber),
            (text(&long, ""), FindingsError::InvalidName),
            (text("t", &"x".repeat(MAX_ENTRY_BYTES)), FindingsError::TooLarge),
        ] {
            assert_eq!(findings.clone().checked(), Err(error), "{findings:?}");
        }
    }

    #[test]
    fn counts_are_limited_also_after_merging() {
        let half = vec![boxed("a", 1.0, [0.0; 4]).boxes.remove(0); MAX_BOXES / 2];
        let half = Findings { boxes: half, ..Findings::default() };
        let full = half.clone().merged(half.clone()).unwrap();
        assert_eq!(full.clone().checked().unwrap().boxes.len(), MAX_BOXES);
        assert_eq!(full.merged(boxed("a", 1.0, [0.0; 4])), Err(FindingsError::TooManyBoxes));
        let numbers = (0..=MAX_VALUES).flat_map(|index| number(&index.to_string(), 0.0).numbers).collect();
        assert_eq!(Findings { numbers, ..Findings::default() }.checked(), Err(FindingsError::TooManyValues));
    }

    #[test]
    fn later_numbers_and_texts_replace_those_of_the_same_name() {
        let merged = number("n", 1.0).merged(number("n", 2.0)).unwrap().merged(number("m", 3.0)).unwrap();
        let values: Vec<_> = merged.numbers.iter().map(|number| (number.name.as_str(), number.value)).collect();
        assert_eq!(values, [("n", 2.0), ("m", 3.0)]);
        assert_eq!(text("t", "old").merged(text("t", "new")).unwrap(), text("t", "new"));
    }
}
