//! Which page a path asks for, of which camera.
//!
//! Beside the paths of this server's own there are those that clients know from mjpg-streamer (`/?action=stream`) and
//! ustreamer (`/stream`, `/state`), so that they work with what is set up for those.

use crate::part::Boundary;
use crate::query::Query;

/// A page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// `/`
    Index,
    /// `/events`
    Events,
    /// `/video_feed`; `/stream`, `/stream.mjpg`, `/?action=stream`, with the boundary of the servers that these are
    /// known from
    Stream(Boundary),
    /// `/pictures`
    Pictures,
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

/// What this path asks for. `None` if there is no such page. It must be [decoded](crate::query::percent_decode).
///
/// Slashes at the end and double ones make no difference: people and programs put them together from pieces.
pub fn route(path_with_query: &str) -> Option<Request<'_>> {
    let path = path_with_query.split('?').next()?;
    // Empty in a request for `http://host?action=stream`, which means the same as with `/` (RFC 9110, section 4.2.3).
    if !path.is_empty() && !path.starts_with('/') {
        return None;
    }
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let Some(page) = segments.next() else {
        return match Query::of(path_with_query).get("action") {
            Some(action) => by_action(action),
            None => Some(Request { route: Route::Index, camera: Which::First }),
        };
    };
    let name = segments.next();
    if segments.next().is_some() {
        return None;
    }
    // Names of cameras have no dots.
    let (page, name, extension) = match name {
        Some(name) => {
            let (name, extension) = split_extension(name);
            (page, Some(name), extension)
        }
        None => {
            let (page, extension) = split_extension(page);
            (page, None, extension)
        }
    };
    let route = match (page, extension) {
        ("events", None) if name.is_none() => Route::Events,
        ("pictures", None) if name.is_none() => Route::Pictures,
        ("video_feed", None) => Route::Stream(Boundary::Frame),
        ("stream", None | Some("mjpg")) => Route::Stream(Boundary::DoNotCross),
        ("snapshot", None | Some("jpg")) => Route::Snapshot,
        ("state", None) => Route::State,
        ("log", None) => Route::Log,
        ("log", Some("csv")) => Route::LogAsCsv,
        ("controls", None) => Route::Controls,
        _ => return None,
    };
    Some(Request { route, camera: name.map_or(Which::First, Which::Named) })
}

/// The last part of a path, and what stands behind its first dot.
fn split_extension(last: &str) -> (&str, Option<&str>) {
    last.split_once('.').map_or((last, None), |(name, extension)| (name, Some(extension)))
}

/// What begins with `stream` or `snapshot`, in any case: the first camera, or that of the number behind a `_`. As in
/// mjpg-streamer, whatever comes then makes no difference.
fn by_action(action: &str) -> Option<Request<'_>> {
    let rest = |name: &str| {
        let (begin, rest) = action.split_at_checked(name.len())?;
        begin.eq_ignore_ascii_case(name).then_some(rest)
    };
    let (route, rest) = rest("stream")
        .map(|rest| (Route::Stream(Boundary::DoNotCross), rest))
        .or_else(|| Some((Route::Snapshot, rest("snapshot")?)))?;
    let suffix = rest.strip_prefix('_').unwrap_or_default();
    let digits = suffix.bytes().take_while(u8::is_ascii_digit).count();
    let camera = match suffix.get(..digits).unwrap_or_default() {
        "" => Which::First,
        number => Which::Numbered(number.parse().ok()?),
    };
    Some(Request { route, camera })
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    const VIDEO_FEED: Route = Route::Stream(Boundary::Frame);
    const STREAM: Route = Route::Stream(Boundary::DoNotCross);

    fn request(route: Route, camera: Which<'_>) -> Option<Request<'_>> {
        Some(Request { route, camera })
    }

    #[test]
    fn every_page_has_its_paths() {
        let (first, yard) = (Which::First, Which::Named("yard"));
        for (path, page, camera) in [
            ("/", Route::Index, first),
            ("", Route::Index, first),
            ("/events", Route::Events, first),
            ("/pictures", Route::Pictures, first),
            ("/pictures?cameras=yard,front", Route::Pictures, first),
            ("/video_feed", VIDEO_FEED, first),
            ("/video_feed/yard", VIDEO_FEED, yard),
            ("/stream", STREAM, first),
            ("/stream/yard", STREAM, yard),
            ("/stream.mjpg", STREAM, first),
            ("/stream/yard.mjpg", STREAM, yard),
            ("/?action=stream", STREAM, first),
            ("?action=stream", STREAM, first),
            ("/?action=stream_1", STREAM, Which::Numbered(1)),
            ("/snapshot", Route::Snapshot, first),
            ("/snapshot/yard", Route::Snapshot, yard),
            ("/snapshot.jpg", Route::Snapshot, first),
            ("/snapshot/yard.jpg", Route::Snapshot, yard),
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
            // Nothing of this changes what is asked for.
            for (before, after) in [("", ""), ("/", ""), ("", "?t=1"), ("", "?1699999"), ("", "?x?y=1"), ("", "&t=1?u")]
            {
                // With an action, the path has its query already.
                let after = if path.contains('?') { after } else { after.trim_start_matches("&t=1") };
                let path = format!("{before}{path}{after}");
                assert_eq!(route(&path), request(page, camera), "{path}");
            }
            if !path.contains('?') {
                for path in [format!("{path}/"), format!("{path}//"), format!("//{path}/?t=1")] {
                    assert_eq!(route(&path), request(page, camera), "{path}");
                }
            }
        }
        assert_eq!(route("//stream//yard"), request(STREAM, yard));
        assert_eq!(route("//?action=stream"), request(STREAM, first));
    }

    #[test]
    fn an_action_is_matched_as_by_mjpg_streamer() {
        let (first, second) = (Which::First, Which::Numbered(1));
        for (path, page, camera) in [
            ("/?action=stream?nonce_dashboard=1", STREAM, first),
            ("/?action=stream_1?nonce_dashboard=2", STREAM, second),
            ("/?action=stream1699999", STREAM, first),
            ("/?action=stream/", STREAM, first),
            ("/?action=stream.mjpg", STREAM, first),
            ("/?action=stream_", STREAM, first),
            ("/?action=stream_x", STREAM, first),
            ("/?action=stream_-1", STREAM, first),
            ("/?action=stream_1x", STREAM, second),
            ("/?Action=Stream", STREAM, first),
            ("/?ACTION=STREAM_1", STREAM, second),
            ("/?action=snapshot?1699999", Route::Snapshot, first),
            ("/?action=snapshot_1;t=1", Route::Snapshot, second),
            ("/?action=snapshotfoo", Route::Snapshot, first),
            ("/?action=SnapShot", Route::Snapshot, first),
            ("/?timestamp=1&amp;action=snapshot", Route::Snapshot, first),
            ("/?timestamp=1?action=stream", STREAM, first),
            ("/?action= stream", STREAM, first),
        ] {
            assert_eq!(route(path), request(page, camera), "{path}");
        }
    }

    #[test]
    fn other_queries_are_ignored() {
        assert_eq!(route("/?"), request(Route::Index, Which::First));
        assert_eq!(route("/??"), request(Route::Index, Which::First));
        assert_eq!(route("/?timestamp=1&x"), request(Route::Index, Which::First));
        assert_eq!(route("/?action=stream&ignored.mjpg"), request(STREAM, Which::First));
        assert_eq!(route("/?bypassCache=1&action=snapshot&cacheBust=2"), request(Route::Snapshot, Which::First));
        assert_eq!(route("/video_feed?t=1&x=/snapshot"), request(VIDEO_FEED, Which::First));
        assert_eq!(route("/snapshot/yard?%"), request(Route::Snapshot, Which::Named("yard")));
    }

    #[test]
    fn everything_else_is_not_there() {
        for path in [
            "*",
            "video_feed",
            "/video_feed2",
            "/Video_Feed",
            "/favicon.ico",
            "/index.html",
            "http://x/",
            "/events/x",
            "/snapshot/a/b",
            "/pictures/x",
            "/snapshot.mjpg",
            "/stream.jpg",
            "/log.html",
            "/?action=",
            "/?action=command",
            "/?action=strea",
            "/?action=xstream",
            "/?action=stream_99999999999999999999999",
            "/.jpg",
            "/..",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }

    #[test]
    fn odd_names_are_left_to_the_host_to_not_know() {
        assert_eq!(route("/?action=stream_99999"), request(STREAM, Which::Numbered(99_999)));
        assert_eq!(route("/snapshot/a b"), request(Route::Snapshot, Which::Named("a b")));
    }
}
