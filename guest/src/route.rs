//! Parsing of paths: which page of which camera a request is for.
//!
//! In addition to its own paths, the guest supports those of mjpg-streamer (`/?action=stream`) and ustreamer
//! (`/stream`, `/state`), so that clients configured for these servers work.

use crate::multipart::Boundary;
use crate::query::Query;

/// A page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// `/`
    Index,
    /// `/events`
    Events,
    /// `/events/ID.jpg`
    EventImage(u64),
    /// `/results`
    Results,
    /// `/clip`, `/clip/NAME.mkv`
    Clip,
    /// `/minute`
    Minute,
    /// `/video_feed`, or, with the boundary of other servers, `/stream`, `/stream.mjpg`, `/?action=stream`
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
    LogCsv,
    /// `/controls`
    Controls,
}

/// The camera that a path selects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CameraSelector<'a> {
    /// The path does not name a camera.
    First,
    /// `/stream/NAME`
    Name(&'a str),
    /// `/?action=stream_N`, counted from 0
    Index(usize),
}

/// The parsed path of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request<'a> {
    /// The page.
    pub route: Route,
    /// The camera. Some pages ignore it.
    pub camera: CameraSelector<'a>,
}

/// Parses a [decoded](crate::query::percent_decode) path. Returns `None` if there is no such page.
///
/// Double slashes and slashes at the end are ignored, because people and programs concatenate paths.
pub fn parse(path_with_query: &str) -> Option<Request<'_>> {
    let path = path_with_query.split('?').next()?;
    // The path is empty in a request for `http://host?action=stream` and equivalent to `/` (RFC 9110, section 4.2.3).
    if !path.is_empty() && !path.starts_with('/') {
        return None;
    }
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let Some(page) = segments.next() else {
        return match Query::of(path_with_query).get("action") {
            Some(action) => parse_action(action),
            None => Some(Request { route: Route::Index, camera: CameraSelector::First }),
        };
    };
    let name = segments.next();
    if segments.next().is_some() {
        return None;
    }
    // Names of cameras contain no dots.
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
        ("events", Some("jpg")) => Route::EventImage(name.and_then(|name| name.parse().ok())?),
        ("pictures", None) if name.is_none() => Route::Pictures,
        ("results", None) => Route::Results,
        ("clip", None | Some("mkv")) => Route::Clip,
        ("minute", None) => Route::Minute,
        ("video_feed", None) => Route::Stream(Boundary::Frame),
        ("stream", None | Some("mjpg")) => Route::Stream(Boundary::DoNotCross),
        ("snapshot", None | Some("jpg")) => Route::Snapshot,
        ("state", None) => Route::State,
        ("log", None) => Route::Log,
        ("log", Some("csv")) => Route::LogCsv,
        ("controls", None) => Route::Controls,
        _ => return None,
    };
    Some(Request { route, camera: name.map_or(CameraSelector::First, CameraSelector::Name) })
}

/// Splits the last segment of a path at its first dot.
fn split_extension(last: &str) -> (&str, Option<&str>) {
    last.split_once('.').map_or((last, None), |(name, extension)| (name, Some(extension)))
}

/// Parses an action that starts with `stream` or `snapshot`, ignoring case, optionally followed by `_` and the index of
/// a camera. As in mjpg-streamer, everything after that is ignored.
fn parse_action(action: &str) -> Option<Request<'_>> {
    let rest = |name: &str| {
        let (prefix, rest) = action.split_at_checked(name.len())?;
        prefix.eq_ignore_ascii_case(name).then_some(rest)
    };
    let (route, rest) = rest("stream")
        .map(|rest| (Route::Stream(Boundary::DoNotCross), rest))
        .or_else(|| Some((Route::Snapshot, rest("snapshot")?)))?;
    let suffix = rest.strip_prefix('_').unwrap_or_default();
    let digits = suffix.bytes().take_while(u8::is_ascii_digit).count();
    let camera = match suffix.get(..digits).unwrap_or_default() {
        "" => CameraSelector::First,
        number => CameraSelector::Index(number.parse().ok()?),
    };
    Some(Request { route, camera })
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    const VIDEO_FEED: Route = Route::Stream(Boundary::Frame);
    const STREAM: Route = Route::Stream(Boundary::DoNotCross);

    fn request(route: Route, camera: CameraSelector<'_>) -> Option<Request<'_>> {
        Some(Request { route, camera })
    }

    #[test]
    fn paths_select_pages_and_cameras() {
        let (first, yard) = (CameraSelector::First, CameraSelector::Name("yard"));
        for (path, page, camera) in [
            ("/", Route::Index, first),
            ("", Route::Index, first),
            ("/events", Route::Events, first),
            ("/results", Route::Results, first),
            ("/results/yard", Route::Results, yard),
            ("/results?cameras=yard,front", Route::Results, first),
            ("/events/17.jpg", Route::EventImage(17), CameraSelector::Name("17")),
            ("/clip", Route::Clip, first),
            ("/clip.mkv", Route::Clip, first),
            ("/clip/yard", Route::Clip, yard),
            ("/clip/yard.mkv", Route::Clip, yard),
            ("/minute", Route::Minute, first),
            ("/minute/yard", Route::Minute, yard),
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
            ("/?action=stream_1", STREAM, CameraSelector::Index(1)),
            ("/snapshot", Route::Snapshot, first),
            ("/snapshot/yard", Route::Snapshot, yard),
            ("/snapshot.jpg", Route::Snapshot, first),
            ("/snapshot/yard.jpg", Route::Snapshot, yard),
            ("/?action=snapshot", Route::Snapshot, first),
            ("/?action=snapshot_0", Route::Snapshot, CameraSelector::Index(0)),
            ("/state", Route::State, first),
            ("/state/yard", Route::State, yard),
            ("/log", Route::Log, first),
            ("/log/yard", Route::Log, yard),
            ("/log/yard.csv", Route::LogCsv, yard),
            ("/log.csv", Route::LogCsv, first),
            ("/controls", Route::Controls, first),
            ("/controls/yard", Route::Controls, yard),
        ] {
            // None of these additions makes a difference.
            for (before, after) in [("", ""), ("/", ""), ("", "?t=1"), ("", "?1699999"), ("", "?x?y=1"), ("", "&t=1?u")]
            {
                // Paths with an action already have a query.
                let after = if path.contains('?') { after } else { after.trim_start_matches("&t=1") };
                let path = format!("{before}{path}{after}");
                assert_eq!(parse(&path), request(page, camera), "{path}");
            }
            if !path.contains('?') {
                for path in [format!("{path}/"), format!("{path}//"), format!("//{path}/?t=1")] {
                    assert_eq!(parse(&path), request(page, camera), "{path}");
                }
            }
        }
        assert_eq!(parse("//stream//yard"), request(STREAM, yard));
        assert_eq!(parse("//?action=stream"), request(STREAM, first));
    }

    #[test]
    fn actions_are_matched_as_in_mjpg_streamer() {
        let (first, second) = (CameraSelector::First, CameraSelector::Index(1));
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
            assert_eq!(parse(path), request(page, camera), "{path}");
        }
    }

    #[test]
    fn other_queries_are_ignored() {
        assert_eq!(parse("/?"), request(Route::Index, CameraSelector::First));
        assert_eq!(parse("/??"), request(Route::Index, CameraSelector::First));
        assert_eq!(parse("/?timestamp=1&x"), request(Route::Index, CameraSelector::First));
        assert_eq!(parse("/?action=stream&ignored.mjpg"), request(STREAM, CameraSelector::First));
        assert_eq!(
            parse("/?bypassCache=1&action=snapshot&cacheBust=2"),
            request(Route::Snapshot, CameraSelector::First)
        );
        assert_eq!(parse("/video_feed?t=1&x=/snapshot"), request(VIDEO_FEED, CameraSelector::First));
        assert_eq!(parse("/snapshot/yard?%"), request(Route::Snapshot, CameraSelector::Name("yard")));
    }

    #[test]
    fn other_paths_do_not_exist() {
        for path in [
            "*",
            "video_feed",
            "/video_feed2",
            "/Video_Feed",
            "/favicon.ico",
            "/index.html",
            "http://x/",
            "/events/x",
            "/events/17",
            "/events.jpg",
            "/events/x.jpg",
            "/events/-1.jpg",
            "/events/99999999999999999999.jpg",
            "/results.json",
            "/clip/yard.avi",
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
            assert_eq!(parse(path), None, "{path}");
        }
    }

    #[test]
    fn names_of_cameras_are_not_checked() {
        assert_eq!(parse("/?action=stream_99999"), request(STREAM, CameraSelector::Index(99_999)));
        assert_eq!(parse("/snapshot/a b"), request(Route::Snapshot, CameraSelector::Name("a b")));
    }
}
