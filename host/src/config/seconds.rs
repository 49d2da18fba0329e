//! Numbers of seconds, such as `10`, `10s` or `0.5`. Depends on no other module, because the fuzz target of `--camera`
//! includes it.

use std::ops::RangeBounds;
use std::time::Duration;

/// The longest duration that an option accepts: a year. Sums of longer ones with the current time could overflow.
const MAX_DURATION: Duration = Duration::from_secs(365 * 86_400);

/// The value of an option is not a number of seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("use a number of seconds up to {} (a year), such as 10, 10s or 0.5", MAX_DURATION.as_secs())]
pub struct ParseSecondsError;

/// Parses the value of an option: a number of seconds up to [`MAX_DURATION`].
pub(super) fn seconds(input: &str) -> Result<Duration, ParseSecondsError> {
    parse_seconds(input, ..=MAX_DURATION).ok_or(ParseSecondsError)
}

/// Parses a number of seconds in this range, with optional decimals, and with or without the unit.
pub(super) fn parse_seconds(input: &str, range: impl RangeBounds<Duration>) -> Option<Duration> {
    let number = input.strip_suffix('s').unwrap_or(input).parse::<f64>().ok()?;
    // Fails for numbers that are negative or not finite.
    Duration::try_from_secs_f64(number).ok().filter(|duration| range.contains(duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_seconds_may_have_decimals_and_a_unit() {
        for (input, milliseconds) in [("10", 10_000), ("10s", 10_000), ("0.5", 500), ("1.25s", 1250), ("0", 0)] {
            assert_eq!(seconds(input), Ok(Duration::from_millis(milliseconds)), "{input}");
        }
        for input in ["", "s", "-1", "10 s", "10ss", "10S", "1m", "soon", "NaN", "inf", "infs", "1e99"] {
            assert_eq!(seconds(input), Err(ParseSecondsError), "{input}");
        }
    }

    #[test]
    fn the_longest_duration_is_a_year() {
        assert_eq!(seconds("31536000"), Ok(MAX_DURATION));
        assert_eq!(seconds("31536000.001"), Err(ParseSecondsError));
        assert_eq!(
            ParseSecondsError.to_string(),
            "use a number of seconds up to 31536000 (a year), such as 10, 10s or 0.5"
        );
    }
}
