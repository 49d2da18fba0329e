//! Query parameters. Unknown ones are ignored: clients add them to bypass caches.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// Decodes every percent-encoded byte of a path with its query (RFC 3986, section 2.1).
///
/// It is decoded before it is split, so that clients that encode too much (`/%3Faction%3Dstream`) work. No name or
/// value that matters here contains a separator. Invalid escapes stay as they are, and so does everything if the result
/// is not UTF-8.
pub fn percent_decode(path_with_query: &str) -> Cow<'_, str> {
    if !path_with_query.contains('%') {
        return Cow::Borrowed(path_with_query);
    }
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = path_with_query.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        match (first, digit(after.first()), digit(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(decoded).map_or(Cow::Borrowed(path_with_query), Cow::Owned)
}

/// The part of a path after `?`.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a>(pub &'a str);

impl<'a> Query<'a> {
    /// Returns the query of a [decoded](percent_decode) path. It is empty if the path has none.
    pub fn of(path_with_query: &'a str) -> Self {
        Self(path_with_query.split_once('?').map_or("", |(_, query)| query))
    }

    /// Returns the first value with this name, ignoring case, without spaces around it.
    ///
    /// Parameters are separated by `&`, by `;`, which remains of an `&amp;` that a client did not decode, and by
    /// further `?`: programs that append a parameter often start a second query.
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.0.split(['&', ';', '?']).find_map(|pair| {
            let (found, value) = pair.split_once('=')?;
            // `+` represents a space (URL Standard, application/x-www-form-urlencoded).
            found.eq_ignore_ascii_case(name).then(|| value.trim_matches([' ', '+']))
        })
    }

    /// Whether the value is `true`, `yes` or starts with `1`, as in ustreamer.
    pub fn is_set(self, name: &str) -> bool {
        let is_yes = |value: &str| ["true", "yes"].iter().any(|yes| value.eq_ignore_ascii_case(yes));
        self.get(name).is_some_and(|value| value.starts_with('1') || is_yes(value))
    }

    /// Returns the value of `fps=`, in pictures per second, if it is a number greater than 0, such as 5 or 0.5.
    pub fn rate(self) -> Option<f64> {
        let value = self.get("fps")?;
        let (number, scale) = decimal(value)?;
        let rate = number as f64 / scale as f64;
        (rate > 0.0).then_some(rate)
    }

    /// Returns the value with this name as a time in nanoseconds: a number of seconds, with or without the unit `s`, or
    /// of milliseconds with the unit `ms`. Numbers may have up to six digits before and after the point.
    pub fn nanoseconds(self, name: &str) -> Option<Result<u64, InvalidTime>> {
        const SECOND: u64 = 1_000_000_000;
        const MILLISECOND: u64 = 1_000_000;
        let value = self.get(name)?;
        let (number, unit) = match (value.strip_suffix("ms"), value.strip_suffix('s')) {
            (Some(number), _) => (number, MILLISECOND),
            (None, Some(number)) => (number, SECOND),
            (None, None) => (value, SECOND),
        };
        Some(decimal(number).map(|(number, scale)| number * (unit / scale)).ok_or(InvalidTime))
    }

    /// Returns the value of `key=`, with which a client finds itself among the viewers: up to 40 letters, digits, `-`,
    /// `_`.
    pub fn key(self) -> Option<&'a str> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        self.get("key").filter(|key| (1..=40).contains(&key.len()) && key.bytes().all(allowed))
    }
}

/// A value is not a time.
#[derive(Debug, Eq, PartialEq)]
pub struct InvalidTime;

/// Parses a number without sign and exponent, such as 5 or 0.5, with up to six digits before and after the point.
/// Returns an integer and the power of ten by which to divide it.
///
/// Parsing an `f64` with the standard library would add more than half of the guest's size.
fn decimal(value: &str) -> Option<(u64, u64)> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let digits = |text: &str| text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) {
        return None;
    }
    let scale = (0..decimals.len()).fold(1, |scale, _| scale * 10);
    let number = whole.bytes().chain(decimals.bytes());
    Some((number.fold(0, |number, byte| number * 10 + u64::from(byte - b'0')), scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_completely() {
        let query = Query::of("/?t=1&action=stream&xaction=a&flag=YES&off=0&action=b");
        assert_eq!(query.get("action"), Some("stream"));
        assert_eq!((query.get("act"), query.get("stream"), query.get("")), (None, None, None));
        assert!(query.is_set("flag") && query.is_set("t") && !query.is_set("off") && !query.is_set("t2"));
        assert_eq!(Query::of("/stream").get("action"), None);
    }

    #[test]
    fn values_end_at_every_known_separator() {
        for path in [
            "/?a=1",
            "/?a=1&b=2",
            "/?a=1?b=2",
            "/?a=1?1699999",
            "/?a=1;b=2",
            "/?b=2?a=1",
            "/??a=1",
            "/?&a=1",
            "/?x&a=1",
            "/?b=2&amp;a=1",
            "/?A=1",
            "/?a=+1+",
            "/?a= 1",
            "/?a=1?a=2",
        ] {
            assert_eq!(Query::of(path).get("a"), Some("1"), "{path}");
        }
        for (path, value) in [("/?a=", Some("")), ("/?a", None), ("/?a==1", Some("=1")), ("/a=1", None)] {
            assert_eq!(Query::of(path).get("a"), value, "{path}");
        }
    }

    #[test]
    fn percent_encoding_is_decoded_once() {
        for (path, decoded) in [
            ("/stream", "/stream"),
            ("/%3Faction%3dstream", "/?action=stream"),
            ("/video%5Ffeed%2Fyard", "/video_feed/yard"),
            ("/%252F", "/%2F"),
            ("/%C3%BC", "/ü"),
            ("/%", "/%"),
            ("/%4", "/%4"),
            ("/%4G%41", "/%4GA"),
            ("/%+1", "/%+1"),
            ("/%ff", "/%ff"),
        ] {
            assert_eq!(percent_decode(path), decoded);
        }
    }

    #[test]
    fn rates_are_numbers_greater_than_0() {
        for five in ["fps=5", "FPS=5.0", "fps=5?t=1", "fps=5;x"] {
            assert_eq!(Query(five).rate(), Some(5.0), "{five}");
        }
        assert_eq!(Query("t=1&fps=0.5&x").rate(), Some(0.5));
        for none in ["", "fps", "fps=", "fps=0", "fps=-1", "fps=NaN", "fps=inf", "fps=.5", "fps=1e3", "fps=9999999"] {
            assert_eq!(Query(none).rate(), None, "{none}");
        }
    }

    #[test]
    fn times_have_optional_decimals_and_units() {
        for (query, nanoseconds) in [
            ("max_age=0", 0),
            ("max_age=2", 2_000_000_000),
            ("max_age=2s", 2_000_000_000),
            ("t=1&MAX_AGE=0.25s", 250_000_000),
            ("max_age=500ms?t=1", 500_000_000),
            ("max_age=0.000001ms", 1),
            ("max_age=999999.999999", 999_999_999_999_000),
        ] {
            assert_eq!(Query(query).nanoseconds("max_age"), Some(Ok(nanoseconds)), "{query}");
        }
        assert_eq!(Query("age=1").nanoseconds("max_age"), None);
        for invalid in ["", "s", "ms", "-1", "1m", "1 s", "1e3", "2ss", ".5", "1000000", "0.0000001", "inf"] {
            let query = format!("max_age={invalid}");
            assert_eq!(Query(&query).nanoseconds("max_age"), Some(Err(InvalidTime)), "{query}");
        }
    }

    #[test]
    fn keys_contain_only_safe_characters() {
        for key in ["key=front-1_a", "key=front-1_a?t=1", "key=front-1_a;b"] {
            assert_eq!(Query(key).key(), Some("front-1_a"));
        }
        for none in
            ["key=", "key=a b", "key=a,b", "key=a\r", "key=a/b", "key=01234567890123456789012345678901234567890"]
        {
            assert_eq!(Query(none).key(), None, "{none}");
        }
    }
}
