//! Which page a path asks for.

/// A page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// `/`
    Index,
    /// `/events`
    Events,
    /// `/video_feed`, `/video_feed/NAME`
    Stream,
    /// `/snapshot`, `/snapshot/NAME`
    Snapshot,
    /// `/controls`, `/controls/NAME`
    Controls,
}

/// What a path asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request<'a> {
    /// The page.
    pub route: Route,
    /// The camera's name; none for the first camera.
    pub camera: Option<&'a str>,
}

/// What this path asks for; none if there is no such page. Of the query, only [`rate`] takes
/// notice: clients append parameters of their own to get past caches.
pub fn route(path_with_query: &str) -> Option<Request<'_>> {
    let path = path_with_query.split('?').next()?;
    let (page, rest) = match path.strip_prefix('/')?.split_once('/') {
        Some((page, rest)) => (page, Some(rest)),
        None => (path.strip_prefix('/')?, None),
    };
    // Names of cameras need no escaping, so none is undone.
    match (page, rest) {
        ("", None) => Some(Request { route: Route::Index, camera: None }),
        ("events", None) => Some(Request { route: Route::Events, camera: None }),
        ("video_feed", camera) => Some(Request { route: Route::Stream, camera }),
        ("snapshot", camera) => Some(Request { route: Route::Snapshot, camera }),
        ("controls", camera) => Some(Request { route: Route::Controls, camera }),
        _ => None,
    }
}

/// The pictures per second that a query asks for by `fps=`: a number greater than 0, such as 5 or 0.5.
pub fn rate(path_with_query: &str) -> Option<f64> {
    let (_, query) = path_with_query.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("fps="))?;
    // The standard library's parser of such numbers is larger than all the rest of this guest.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request(route: Route, camera: Option<&str>) -> Option<Request<'_>> {
        Some(Request { route, camera })
    }

    #[test]
    fn every_page_has_its_path() {
        assert_eq!(route("/"), request(Route::Index, None));
        assert_eq!(route("/video_feed"), request(Route::Stream, None));
        assert_eq!(route("/video_feed/front"), request(Route::Stream, Some("front")));
        assert_eq!(route("/snapshot"), request(Route::Snapshot, None));
        assert_eq!(route("/snapshot/yard"), request(Route::Snapshot, Some("yard")));
        assert_eq!(route("/controls"), request(Route::Controls, None));
        assert_eq!(route("/controls/yard"), request(Route::Controls, Some("yard")));
    }

    #[test]
    fn queries_are_ignored() {
        assert_eq!(route("/?"), request(Route::Index, None));
        assert_eq!(route("/video_feed?t=1&x=/snapshot"), request(Route::Stream, None));
        assert_eq!(route("/snapshot/yard?%"), request(Route::Snapshot, Some("yard")));
    }

    #[test]
    fn everything_else_is_not_there() {
        for path in
            ["", "*", "video_feed", "//", "/video_feed2", "/Video_Feed", "/favicon.ico", "/index.html", "http://x/"]
        {
            assert_eq!(route(path), None, "{path}");
        }
    }

    #[test]
    fn a_rate_is_a_number_greater_than_0() {
        assert_eq!(rate("/video_feed?fps=5"), Some(5.0));
        assert_eq!(rate("/video_feed/front?t=1&fps=0.5&x"), Some(0.5));
        for none in [
            "/video_feed",
            "/video_feed?",
            "/video_feed?fps",
            "/?fps=",
            "/?fps=0",
            "/?fps=-1",
            "/?fps=NaN",
            "/?fps=inf",
            "/?fps=.5",
            "/?fps=1e3",
            "/?fps=9999999",
            "/?xfps=5",
            "/fps=5",
        ] {
            assert_eq!(rate(none), None, "{none}");
        }
    }

    #[test]
    fn odd_names_are_left_to_the_host_to_not_know() {
        assert_eq!(route("/video_feed/"), request(Route::Stream, Some("")));
        assert_eq!(route("/snapshot/a/b"), request(Route::Snapshot, Some("a/b")));
        assert_eq!(route("/snapshot/../etc"), request(Route::Snapshot, Some("../etc")));
    }
}
