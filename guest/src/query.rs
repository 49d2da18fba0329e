//! What a query asks for. Clients append parameters of their own to get past caches; those are ignored.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// A path with its query, with every percent-encoded byte decoded (RFC 3986, section 2.1).
///
/// It is decoded as a whole, before it is taken apart: clients that encode too much (`/%3Faction%3Dstream`) are
/// understood, and no name or value that matters here contains a separator. Escapes that are not well-formed stay, and so
/// does everything if the result is not UTF-8.
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

/// The part of a path behind `?`.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a>(pub &'a str);

impl<'a> Query<'a> {
    /// The query of this path, which must be [decoded](percent_decode); an empty one if it has none.
    pub fn of(path_with_query: &'a str) -> Self {
        Self(path_with_query.split_once('?').map_or("", |(_, query)| query))
    }

    /// The first value of this name, in any case, without spaces around it.
    ///
    /// Parameters end at `&`, at `;`, which is left of an `&amp;` that was not decoded, and at a second `?`: programs that
    /// add a parameter to a URL that has a query already often begin a second one.
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.0.split(['&', ';', '?']).find_map(|pair| {
            let (found, value) = pair.split_once('=')?;
            // In a query, `+` stands for a space (URL Standard, application/x-www-form-urlencoded).
            found.eq_ignore_ascii_case(name).then(|| value.trim_matches([' ', '+']))
        })
    }

    /// Whether this is set, as ustreamer takes it: to `true`, `yes`, or anything that begins with `1`.
    pub fn is_set(self, name: &str) -> bool {
        let is_yes = |value: &str| ["true", "yes"].iter().any(|yes| value.eq_ignore_ascii_case(yes));
        self.get(name).is_some_and(|value| value.starts_with('1') || is_yes(value))
    }

    /// The pictures per second of `fps=`: a number greater than 0, such as 5 or 0.5.
    pub fn rate(self) -> Option<f64> {
        let value = self.get("fps")?;
        // The standard library's parser of such numbers is larger than half of this guest.
        let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
        let digits = |text: &str| text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(decimals) {
            return None;
        }
        let number = |text: &str| text.bytes().fold(0, |number, byte| number * 10 + u32::from(byte - b'0'));
        let scale = (0..decimals.len()).fold(1, |scale, _| scale * 10);
        let rate = f64::from(number(whole)) + f64::from(number(decimals)) / f64::from(scale);
        (rate > 0.0).then_some(rate)
    }

    /// By which name a client wants to find itself among the viewers: `key=`, up to 40 letters, digits, `-`, `_`.
    pub fn key(self) -> Option<&'a str> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        self.get("key").filter(|key| (1..=40).contains(&key.len()) && key.bytes().all(allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_whole_names() {
        let query = Query::of("/?t=1&action=stream&xaction=a&flag=YES&off=0&action=b");
        assert_eq!(query.get("action"), Some("stream"));
        assert_eq!((query.get("act"), query.get("stream"), query.get("")), (None, None, None));
        assert!(query.is_set("flag") && query.is_set("t") && !query.is_set("off") && !query.is_set("t2"));
        assert_eq!(Query::of("/stream").get("action"), None);
    }

    #[test]
    fn a_value_ends_wherever_clients_end_it() {
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
    fn what_is_percent_encoded_is_decoded_once() {
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
    fn a_rate_is_a_number_greater_than_0() {
        for five in ["fps=5", "FPS=5.0", "fps=5?t=1", "fps=5;x"] {
            assert_eq!(Query(five).rate(), Some(5.0), "{five}");
        }
        assert_eq!(Query("t=1&fps=0.5&x").rate(), Some(0.5));
        for none in ["", "fps", "fps=", "fps=0", "fps=-1", "fps=NaN", "fps=inf", "fps=.5", "fps=1e3", "fps=9999999"] {
            assert_eq!(Query(none).rate(), None, "{none}");
        }
    }

    #[test]
    fn a_key_cannot_become_anything_else() {
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
