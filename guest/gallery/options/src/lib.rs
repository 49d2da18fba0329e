//! Options of a component, which are environment variables.

use std::env;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Returns the value of an option.
pub fn text(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// Returns the words of an option, which are separated by blanks. `None` if it is not set.
pub fn words(name: &str) -> Option<Vec<String>> {
    Some(env::var(name).ok()?.split_whitespace().map(str::to_owned).collect())
}

/// Returns the value of an option that is a number.
///
/// # Panics
///
/// Panics if it is something else or outside of the range, so that the mistake is in the log.
pub fn number<T: FromStr + PartialOrd + Display>(name: &str, default: T, range: RangeInclusive<T>) -> T {
    env::var(name).map_or(default, |text| parse(name, &text, range))
}

fn parse<T: FromStr + PartialOrd + Display>(name: &str, text: &str, range: RangeInclusive<T>) -> T {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.unwrap_or_else(|| panic!("{name}={text}: use a number from {} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_their_range() {
        assert_eq!(parse("hours", "-24", -24.0..=24.0), -24.0);
        assert_eq!(parse("quality", "100", 1..=100), 100);
        for wrong in ["24.01", "NaN", "inf", "", "many"] {
            assert!(std::panic::catch_unwind(|| parse("hours", wrong, -24.0..=24.0)).is_err(), "{wrong}");
        }
    }

    #[test]
    #[should_panic = "hours=25: use a number from -24 to 24"]
    fn the_message_says_what_is_allowed() {
        parse("hours", "25", -24.0..=24.0);
    }
}
