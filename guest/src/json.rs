//! Writing JSON (RFC 8259). A library would be larger than the rest of the guest.

use alloc::format;
use alloc::string::String;
use core::fmt::{Display, Write as _};

/// Returns a string in quotes.
pub fn string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => {
                json.push('\\');
                json.push(char);
            }
            // Writing to a `String` cannot fail.
            control if control < ' ' => drop(write!(json, "\\u{:04x}", u32::from(control))),
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

/// Returns a value that is already JSON, or `null`.
pub fn optional(value: Option<impl Display>) -> String {
    value.map_or_else(|| "null".into(), |value| format!("{value}"))
}

/// Rounds a number that is not negative to two decimals. The standard formatting of floating-point numbers would add
/// more than half of the guest's size.
pub fn two_decimals(number: f64) -> String {
    let hundredths = (number * 100.0 + 0.5) as u64;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Rounds a number that is not negative to an integer.
pub fn rounded(number: f64) -> u64 {
    (number + 0.5) as u64
}

/// Returns a list of values that are already JSON.
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
    fn strings_are_escaped() {
        assert_eq!(string("\"Cam\" \\ \n \u{fc}"), r#""\"Cam\" \\ \u000a ü""#);
    }

    #[test]
    fn numbers_are_rounded() {
        assert_eq!([0.0, 29.969, 29.995, 1e30].map(two_decimals), ["0.00", "29.97", "30.00", "184467440737095516.15"]);
        assert_eq!([0.0, 0.4, 29.97].map(rounded), [0, 0, 30]);
    }

    #[test]
    fn lists_and_optional_values_are_written() {
        assert_eq!(list([1, 2].iter().map(|number| format!("{number}"))), "[1,2]");
        assert_eq!(list([].into_iter()), "[]");
        assert_eq!(optional(None::<i64>), "null");
        assert_eq!(optional(Some(-1)), "-1");
    }
}
