//! Durations with a unit, such as `30d`.

use std::time::Duration;

/// The longest lifetime: ten years. Sums with the current time cannot overflow, and nothing that is meant to expire
/// needs more.
const MAX_DAYS: u64 = 3650;

const SECONDS_PER_DAY: u64 = 86_400;

/// Parses a whole number with a unit: `s`, `m`, `h`, `d` or `w`. At least a second, at most ten years.
pub fn parse_lifetime(input: &str) -> Result<Duration, &'static str> {
    let parse = || {
        let (number, unit) = input.split_at_checked(input.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => SECONDS_PER_DAY,
            "w" => 7 * SECONDS_PER_DAY,
            _ => return None,
        };
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = number.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(seconds)?;
        (1..=MAX_DAYS * SECONDS_PER_DAY).contains(&seconds).then(|| Duration::from_secs(seconds))
    };
    parse().ok_or("use a number with a unit, such as 12h, 30d or 4w, at most ten years")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_have_a_unit_and_a_limit() {
        for (input, seconds) in [("1s", 1), ("90m", 5400), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600)] {
            assert_eq!(parse_lifetime(input), Ok(Duration::from_secs(seconds)), "{input}");
        }
        assert!(parse_lifetime("3650d").is_ok());
        for input in [
            "",
            "d",
            "30",
            "0s",
            "-1d",
            "+1d",
            "1.5d",
            "3651d",
            "99999999999999999999d",
            "9999999999999999w",
            "1 d",
            "1D",
            "1\u{e4}",
        ] {
            assert!(parse_lifetime(input).is_err(), "{input}");
        }
    }
}
