//! Which page a path asks for, of which camera.
//!
//! Beside the paths of this server's own there are those that clients know from mjpg-streamer (`/?action=stream`) and
//! ustreamer (`/stream`, `/state`), so that they work with what is set up for those.

use crate::query::Query;

/// A page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// `/`
    Index,
    /// `/events`
    Events,
    /// `/video_feed`, `/stream`, `/stream.mjpg`, `/?action=stream`
    Stream,
    /// `/snapshot`, `/snapshot.jpg`, `/?action=snapshot`
    Snapshot,
    /// `/state`
    State,
    /// `/log`
    Log,
    /// `/log.csv`
    LogAsCsv,
    /// `/controls`
    Controls,
}

/// A camera, as a path names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which<'a> {
    /// None was named, which means the first.
    First,
    /// `/stream/NAME`
    Named(&'a str),
    /// `/?action=stream_N`: counted from 0.
    Numbered(usize),
}

/// What a path asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request<'a> {
    /// The page.
    pub route: Route,
    /// The camera, where the page is of one.
    pub camera: Which<'a>,
}

/// What this path asks for; none if there is no such page.
pub fn route(path_with_query: &str) -> Option<Request<'_>> {
    let path = path_with_query.split('?').next()?;
    // Empty in a request for `http://host?action=stream`, which means the same as with `/` (RFC 9110, section 4.2.3).
    let path = if path.is_empty() { path } else { path.strip_prefix('/')? };
    if path.is_empty() {
        return match Query::of(path_with_query).get("action") {
            Some(action) => by_action(action),
            None => Some(Request { route: Route::Index, camera: Which::First }),
        };
    }
    // Names of cameras need no escaping, so none is undone; and they have no dots.
    let (path, extension) = path.split_once('.').map_or((path, None), |(path, extension)| (path, Some(extension)));
    let (page, camera) = match path.split_once('/') {
        Some((page, name)) => (page, Which::Named(name)),
        None => (path, Which::First),
    };
    let route = match (page, extension) {
        ("events", None) if camera == Which::First => Route::Events,
        ("video_feed", None) | ("stream", None | Some("mjpg")) => Route::Stream,
        ("snapshot", None | Some("jpg")) => Route::Snapshot,
        ("state", None) => Route::State,
        ("log", None) => Route::Log,
        ("log", Some("csv")) => Route::LogAsCsv,
        ("controls", None) => Route::Controls,
        _ => return None,
    };
    Some(Request { route, camera })
}

/// `stream`, `snapshot`, or one of those with `_` and the camera's number.
fn by_action(action: &str) -> Option<Request<'_>> {
    let (action, camera) = match action.split_once('_') {
        Some((_, number)) if !number.bytes().all(|byte| byte.is_ascii_digit()) => return None,
        Some((action, number)) => (action, Which::Numbered(number.parse().ok()?)),
        None => (action, Which::First),
    };
    let route = match action {
        "stream" => Route::Stream,
        "snapshot" => Route::Snapshot,
        _ => return None,
    };
    Some(Request { route, camera })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(route: Route, camera: Which<'_>) -> Option<Request<'_>> {
        Some(Request { route, camera })
    }

    #[test]
    fn every_page_has_its_paths() {
        let (first, yard) = (Which::First, Which::Named("yard"));
        for (path, page, camera) in [
            ("/", Route::Index, first),
            ("/events", Route::Events, first),
            ("/video_feed", Route::Stream, first),
            ("/video_feed/yard", Route::Stream, yard),
            ("/stream", Route::Stream, first),
            ("/stream/yard", Route::Stream, yard),
            ("/stream.mjpg", Route::Stream, first),
            ("/stream/yard.mjpg", Route::Stream, yard),
            ("/?action=stream", Route::Stream, first),
            ("?action=stream", Route::Stream, first),
            ("/?action=stream_1", Route::Stream, Which::Numbered(1)),
            ("/snapshot", Route::Snapshot, first),
            ("/snapshot/yard", Route::Snapshot, yard),
            ("/snapshot.jpg", Route::Snapshot, first),
            ("/?action=snapshot", Route::Snapshot, first),
            ("/?action=snapshot_0", Route::Snapshot, Which::Numbered(0)),
            ("/state", Route::State, first),
            ("/state/yard", Route::State, yard),
            ("/log", Route::Log, first),
            ("/log/yard", Route::Log, yard),
            ("/log/yard.csv", Route::LogAsCsv, yard),
            ("/log.csv", Route::LogAsCsv, first),
            ("/controls", Route::Controls, first),
            ("/controls/yard", Route::Controls, yard),
        ] {
            assert_eq!(route(path), request(page, camera), "{path}");
        }
    }

    #[test]
    fn other_queries_are_ignored() {
        assert_eq!(route("/?"), request(Route::Index, Which::First));
        assert_eq!(route("/?timestamp=1&x"), request(Route::Index, Which::First));
        assert_eq!(route("/?action=stream&ignored.mjpg"), request(Route::Stream, Which::First));
        assert_eq!(route("/?bypassCache=1&action=snapshot&cacheBust=2"), request(Route::Snapshot, Which::First));
        assert_eq!(route("/video_feed?t=1&x=/snapshot"), request(Route::Stream, Which::First));
        assert_eq!(route("/snapshot/yard?%"), request(Route::Snapshot, Which::Named("yard")));
    }

    #[test]
    fn everything_else_is_not_there() {
        for path in [
            "*",
            "video_feed",
            "//",
            "/video_feed2",
            "/Video_Feed",
            "/favicon.ico",
            "/index.html",
            "http://x/",
            "/events/x",
            "/snapshot.mjpg",
            "/stream.jpg",
            "/log.html",
            "/?action=",
            "/?action=command",
            "/?action=stream_",
            "/?action=stream_x",
            "/?action=stream_-1",
            "/?action=stream_+1",
            "/.jpg",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }

    #[test]
    fn odd_names_are_left_to_the_host_to_not_know() {
        assert_eq!(route("/video_feed/"), request(Route::Stream, Which::Named("")));
        assert_eq!(route("/snapshot/a/b"), request(Route::Snapshot, Which::Named("a/b")));
        assert_eq!(route("/?action=stream_99999"), request(Route::Stream, Which::Numbered(99_999)));
    }
}
