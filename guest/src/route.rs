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
}

/// What a path asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request<'a> {
    /// The page.
    pub route: Route,
    /// The camera's name; none for the first camera.
    pub camera: Option<&'a str>,
}

/// What this path asks for; none if there is no such page. The query is ignored: clients append parameters
/// of their own to get past caches.
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
        _ => None,
    }
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
    fn odd_names_are_left_to_the_host_to_not_know() {
        assert_eq!(route("/video_feed/"), request(Route::Stream, Some("")));
        assert_eq!(route("/snapshot/a/b"), request(Route::Snapshot, Some("a/b")));
        assert_eq!(route("/snapshot/../etc"), request(Route::Snapshot, Some("../etc")));
    }
}
