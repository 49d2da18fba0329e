//! What a query asks for. Clients append parameters of their own to get past caches; those are ignored.

/// The part of a path behind `?`.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a>(pub &'a str);

impl<'a> Query<'a> {
    /// The query of this path; an empty one if it has none.
    pub fn of(path_with_query: &'a str) -> Self {
        Self(path_with_query.split_once('?').map_or("", |(_, query)| query))
    }

    /// The first value of this name. What is escaped stays so: nothing that is asked for here needs it.
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.0.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
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
    fn a_rate_is_a_number_greater_than_0() {
        assert_eq!(Query("fps=5").rate(), Some(5.0));
        assert_eq!(Query("t=1&fps=0.5&x").rate(), Some(0.5));
        for none in ["", "fps", "fps=", "fps=0", "fps=-1", "fps=NaN", "fps=inf", "fps=.5", "fps=1e3", "fps=9999999"] {
            assert_eq!(Query(none).rate(), None, "{none}");
        }
    }

    #[test]
    fn a_key_cannot_become_anything_else() {
        assert_eq!(Query("key=front-1_a").key(), Some("front-1_a"));
        for none in
            ["key=", "key=a b", "key=a;b", "key=a%0d", "key=a/b", "key=01234567890123456789012345678901234567890"]
        {
            assert_eq!(Query(none).key(), None, "{none}");
        }
    }
}
