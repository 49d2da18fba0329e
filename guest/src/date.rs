//! Dates for people.

use alloc::format;
use alloc::string::String;

/// A time since 1970 in UTC, as RFC 3339 writes it, with milliseconds: `2023-11-14T22:13:20.004Z`.
pub fn utc(seconds: u64, nanoseconds: u32) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        nanoseconds / 1_000_000
    )
}

/// The year, month and day that is so many days after 1 January 1970, in the Gregorian calendar.
///
/// Years are counted from March, so that the day that some of them have more is their last.
fn civil(days: u64) -> (u64, u64, u64) {
    // From 1 March of the year 0, which begins a period of 400 years.
    const BEFORE_1970: u64 = 719_468;
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let days = days + BEFORE_1970;
    let (period, day) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    // Without the days that were put in: after every 4 years, but not after every 100, but after every 400.
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months from March have 31, 30, 31, 30, 31 days, and so on: 153 in each five.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = 400 * period + year;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_everywhere() {
        assert_eq!(utc(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(1_700_000_000, 4_999_999), "2023-11-14T22:13:20.004Z");
        assert_eq!(utc(951_782_400, 0), "2000-02-29T00:00:00.000Z");
        assert_eq!(utc(1_709_251_199, 999_999_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(utc(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn days_follow_each_other() {
        // Of four hundred years each day is the day after the one before, or the first of a month.
        let mut last = civil(0);
        for days in 1..146_097 {
            let date = civil(days);
            let next_month = if last.1 == 12 { (last.0 + 1, 1, 1) } else { (last.0, last.1 + 1, 1) };
            assert!(date == (last.0, last.1, last.2 + 1) || (date == next_month && last.2 >= 28), "{last:?} {date:?}");
            last = date;
        }
    }
}
