//! A camera's display name, in any script.

use std::fmt;
use std::str::FromStr;

/// The longest label, in characters: it fits above a picture.
pub const MAX_LABEL_LENGTH: usize = 64;

/// A display name: 1 to [`MAX_LABEL_LENGTH`] characters of any script, at least one of them visible, and none that could change
/// how other text is shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Label(String);

/// Why a text can't be a label.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("give 1 to {MAX_LABEL_LENGTH} characters, without line breaks and other control characters")]
pub struct ParseLabelError;

impl FromStr for Label {
    type Err = ParseLabelError;

    fn from_str(typed: &str) -> Result<Self, ParseLabelError> {
        let text = typed.trim();
        let is_fit = text.chars().any(|char| !is_invisible(char)) && !text.chars().any(is_control);
        if is_fit && text.chars().count() <= MAX_LABEL_LENGTH {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseLabelError)
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Control characters, line and paragraph separators, and those that embed, override or isolate the direction of text
/// (Unicode Standard Annex 9), with which a label could reorder the text around it.
fn is_control(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Characters without a shape: spaces, and those that join, separate or mark others.
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
    fn labels_may_be_in_any_script() {
        let longest = "\u{e4}".repeat(MAX_LABEL_LENGTH);
        for label in [
            "Front door",
            "Vorg\u{e4}rtchen \u{2013} Tor 2",
            "\u{7384}\u{95a2}",
            "\u{5de}\u{5e6}\u{5dc}\u{5de}\u{5d4}",
            "\u{627}\u{644}\u{628}\u{627}\u{628}",
            "\u{1f4f7} <b> & \"quotes\" = , :",
            // A family, joined.
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            &longest,
        ] {
            assert_eq!(label.parse::<Label>().unwrap().to_string(), label);
        }
        assert_eq!("  Yard \u{3000}".parse::<Label>().unwrap().to_string(), "Yard");
    }

    #[test]
    fn what_would_change_the_text_around_is_refused() {
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
            &too_long,
        ] {
            assert_eq!(label.parse::<Label>(), Err(ParseLabelError), "{label:?}");
        }
    }
}
