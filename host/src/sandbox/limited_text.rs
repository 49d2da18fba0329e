//! Limits texts that components choose, such as names and errors, before they get into messages.

use std::fmt::{self, Write as _};

use crate::camera::text::affects_display;

/// The start of a text, without characters that affect the display of what surrounds it: up to `limit` characters, and
/// `…` if there are more. Stops formatting there, so a text of any length takes little time and memory.
pub(super) fn limited(text: impl fmt::Display, limit: usize) -> String {
    let mut start = LimitedText { text: String::new(), left: limit };
    // Fails when there is more.
    if write!(start, "{text}").is_err() {
        start.text.push('…');
    }
    start.text
}

struct LimitedText {
    text: String,
    /// How many characters may follow.
    left: usize,
}

impl fmt::Write for LimitedText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars().filter(|char| !affects_display(*char)) {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(char);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_off_and_lose_what_affects_the_display() {
        assert_eq!(limited("äöü", 3), "äöü");
        assert_eq!(limited("äöüß", 3), "äöü…");
        assert_eq!(limited("a\u{1b}[31m\nb\u{202e}", 6), "a[31mb");
        assert_eq!(limited("", 0), "");
    }

    #[test]
    fn formatting_stops_at_the_limit() {
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    formatter.write_str("ab")?;
                }
            }
        }
        assert_eq!(limited(Endless, 3), "aba…");
    }
}
