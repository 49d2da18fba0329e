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

/// Writes a number from -1e15 to 1e15 with at most this many decimals, at most 6, without zeros at the end.
pub fn decimal(number: f64, decimals: u32) -> String {
    let scale = 10_u64.pow(decimals);
    let absolute = number.abs();
    let whole = absolute as u64;
    // Apart from the whole part, because the product would lose digits.
    let fraction = ((absolute - whole as f64) * scale as f64 + 0.5) as u64;
    let (whole, fraction) = (whole + fraction / scale, fraction % scale);
    let sign = if number < 0.0 && (whole, fraction) != (0, 0) { "-" } else { "" };
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:0width$}", width = decimals as usize);
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
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

/// Returns an object with these names and values, which are already JSON.
pub fn object<'a>(members: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut json = String::from("{");
    for (index, (name, value)) in members.enumerate() {
        json.push_str(if index == 0 { "" } else { "," });
        json.push_str(&string(name));
        json.push(':');
        json.push_str(&value);
    }
    json.push('}');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_without_zeros_at_the_end() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (0.5, "0.5"),
            (-12.25, "-12.25"),
            (0.999_999_9, "1"),
            (-1e-9, "0"),
            (1e-6, "0.000001"),
        ];
        for (number, expected) in cases {
            assert_eq!(decimal(number, 6), expected);
        }
        assert_eq!(
            [1.0 / 3.0, 0.000_04, 1e15, -1e15].map(|number| decimal(number, 4)),
            ["0.3333", "0", "1000000000000000", "-1000000000000000"]
        );
        assert_eq!(decimal(999_999_999_999.125, 6), "999999999999.125");
    }

    #[test]
    fn objects_escape_their_names() {
        assert_eq!(object([("a\"", "1".into()), ("b", "[]".into())].into_iter()), "{\"a\\\"\":1,\"b\":[]}");
        assert_eq!(object([].into_iter()), "{}");
    }

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
