//! Formatting of dates.

use alloc::format;
use alloc::string::String;

/// Formats a time since 1970 in UTC with milliseconds (RFC 3339): `2023-11-14T22:13:20.004Z`.
pub fn rfc3339(seconds: u64, nanoseconds: u32) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date_of(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        nanoseconds / 1_000_000
    )
}

/// Returns the year, month and day that is `days` days after 1 January 1970 in the Gregorian calendar.
///
/// Internally, years start in March, so that a leap day is the last day of its year.
fn date_of(days: u64) -> (u64, u64, u64) {
    // Days from 1 March of the year 0, the start of a 400-year cycle, to 1 January 1970.
    const BEFORE_1970: u64 = 719_468;
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let days = days + BEFORE_1970;
    let (cycle, day) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    // Discounting the leap days: every 4 years, except every 100 years, but again every 400 years.
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, months have 31, 30, 31, 30, 31 days, and so on: 153 days in five months.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = 400 * cycle + year;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_formatted_as_rfc_3339() {
        assert_eq!(rfc3339(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_700_000_000, 4_999_999), "2023-11-14T22:13:20.004Z");
        assert_eq!(rfc3339(951_782_400, 0), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_709_251_199, 999_999_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(rfc3339(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn every_day_of_400_years_follows_the_day_before() {
        // Each day is the next day of the same month, or the first day of the next month.
        let mut last = date_of(0);
        for days in 1..146_097 {
            let date = date_of(days);
            let next_month = if last.1 == 12 { (last.0 + 1, 1, 1) } else { (last.0, last.1 + 1, 1) };
            assert!(date == (last.0, last.1, last.2 + 1) || (date == next_month && last.2 >= 28), "{last:?} {date:?}");
            last = date;
        }
    }
}
