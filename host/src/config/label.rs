//! The display name of a camera.

use std::fmt;
use std::str::FromStr;

use crate::camera::text::affects_display;

/// The longest label, in characters. It still fits above a picture.
pub const MAX_LABEL_LENGTH: usize = 64;

/// The display name of a camera, in any script: 1 to [`MAX_LABEL_LENGTH`] characters, at least one of them visible, and
/// none that would affect the display of the text around it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Label(String);

/// The text cannot be a label.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("use 1 to {MAX_LABEL_LENGTH} characters, without line breaks and other control characters")]
pub struct ParseLabelError;

impl FromStr for Label {
    type Err = ParseLabelError;

    fn from_str(input: &str) -> Result<Self, ParseLabelError> {
        let text = input.trim();
        let is_valid = text.chars().any(|char| !is_invisible(char))
            && !text.chars().any(affects_display)
            && text.chars().count() <= MAX_LABEL_LENGTH;
        if is_valid { Ok(Self(text.to_owned())) } else { Err(ParseLabelError) }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether a character has no glyph: spaces, joiners, fillers, variation selectors and tags.
fn is_invisible(char: char) -> bool {
    char.is_whitespace()
        || matches!(char, '\u{AD}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{180B}'..='\u{180E}'
            | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_may_use_any_script() {
        let longest = "\u{e4}".repeat(MAX_LABEL_LENGTH);
        for label in [
            "Front door",
            "Vorg\u{e4}rtchen \u{2013} Tor 2",
            "\u{7384}\u{95a2}",
            "\u{5de}\u{5e6}\u{5dc}\u{5de}\u{5d4}",
            "\u{627}\u{644}\u{628}\u{627}\u{628}",
            "\u{1f4f7} <b> & \"quotes\" = , :",
            // An emoji made of three, joined by U+200D.
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            &longest,
        ] {
            assert_eq!(label.parse::<Label>().unwrap().to_string(), label);
        }
        assert_eq!("  Yard \u{3000}".parse::<Label>().unwrap().to_string(), "Yard");
    }

    #[test]
    fn empty_long_and_control_text_is_rejected() {
        let too_long = "a".repeat(MAX_LABEL_LENGTH + 1);
        for label in [
            "",
            "  ",
            "\u{200b}\u{feff}",
            "a\nb",
            "a\u{1b}[31m",
            "a\0",
            "a\u{85}b",
            "a\u{2028}b",
            "\u{202e}gpj.a",
            "a\u{2066}b\u{2069}",
            "a\u{200f}b",
            &too_long,
        ] {
            assert_eq!(label.parse::<Label>(), Err(ParseLabelError), "{label:?}");
        }
    }
}
