//! Writing JSON (RFC 8259). A library for it is larger than all the rest of this guest.

use alloc::format;
use alloc::string::String;
use core::fmt::{Display, Write as _};

/// A text.
pub fn text(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => {
                json.push('\\');
                json.push(char);
            }
            // Writing to a String can't fail.
            control if control < ' ' => drop(write!(json, "\\u{:04x}", u32::from(control))),
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

/// A value, or null.
pub fn optional(value: Option<impl Display>) -> String {
    value.map_or_else(|| "null".into(), |value| format!("{value}"))
}

/// A number that is not negative, with two decimals. Formatting floating-point numbers is larger than half of this guest.
pub fn hundredths(number: f64) -> String {
    let hundredths = (number * 100.0 + 0.5) as u64;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// A number that is not negative, as the nearest whole one.
pub fn rounded(number: f64) -> u64 {
    (number + 0.5) as u64
}

/// A list of what is JSON already.
pub fn list(items: impl Iterator<Item = String>) -> String {
    let mut json = String::from("[");
    for (index, item) in items.enumerate() {
        json.push_str(if index == 0 { "" } else { "," });
        json.push_str(&item);
    }
    json.push(']');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_calls_itself_cannot_become_json() {
        assert_eq!(text("\"Cam\" \\ \n \u{fc}"), r#""\"Cam\" \\ \u000a ü""#);
    }

    #[test]
    fn numbers_are_rounded() {
        assert_eq!([0.0, 29.969, 29.995, 1e30].map(hundredths), ["0.00", "29.97", "30.00", "184467440737095516.15"]);
        assert_eq!([0.0, 0.4, 29.97].map(rounded), [0, 0, 30]);
    }

    #[test]
    fn lists_and_what_is_missing() {
        assert_eq!(list([1, 2].iter().map(|number| format!("{number}"))), "[1,2]");
        assert_eq!(list([].into_iter()), "[]");
        assert_eq!(optional(None::<i64>), "null");
        assert_eq!(optional(Some(-1)), "-1");
    }
}
