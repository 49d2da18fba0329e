//! Text that is shown to people, and that a stranger may have written.

/// Whether a character affects the display of the text around it: a control character, a line or paragraph separator, or
/// one that changes the direction of text (the property `Bidi_Control`, Unicode Standard Annex 9).
pub fn affects_display(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
