//! `/results`: what a guest has found in the frames of a camera, as a stream of server-sent events or of lines of JSON.
//! `?at=` returns the results of one frame.
//!
//! The built-in guest finds nothing by itself. The results are those of a worker, which another component adds, or of
//! whatever guest served before.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::cameras::list_cameras;
use crate::bindings::hotshoe::server::channels::ViewerOptions;
use crate::bindings::hotshoe::server::results::{BoundingBox, Corner, Entry, Reader, Zone, get_entry, list_zones};
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use crate::bindings::wasi::io::poll;
use crate::feed;
use crate::json;
use crate::multipart;
use crate::query::Query;
use crate::request;
use crate::response::{self, Head};
use crate::route::CameraSelector;
use crate::viewer::{self, Ended, Sink};

/// If there are no results for this long, an empty event or line shows clients and proxies that the connection is
/// alive.
const HEARTBEAT_NANOSECONDS: u64 = 5_000_000_000;

/// A part gets no further entries at this length in bytes. The host allows 4 MiB, and an entry takes at most about
/// 200 kB as JSON.
const FULL_PART: usize = 1 << 20;

/// The decimals of coordinates and scores: finer than a pixel.
const COORDINATE_DECIMALS: u32 = 4;
/// The decimals of other numbers.
const NUMBER_DECIMALS: u32 = 6;

/// The format of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// Server-sent events (HTML Living Standard, section 9.2).
    Events,
    /// Lines of JSON.
    Lines,
}

impl Format {
    const ALL: [Self; 2] = [Self::Events, Self::Lines];

    /// Returns the format that `format=` requests, or else the header `Accept`. Returns `None` if `format=` has another
    /// value.
    pub fn requested(query: Query<'_>, accept: Option<&str>) -> Option<Self> {
        match query.get("format") {
            Some("events") => Some(Self::Events),
            Some("lines") => Some(Self::Lines),
            Some(_) => None,
            None if accept.is_some_and(|accept| accept.contains("text/event-stream")) => Some(Self::Events),
            None => Some(Self::Lines),
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        }
    }

    /// Returns what the names of channels start with. No camera has a `/` in its name.
    fn prefix(self) -> &'static str {
        match self {
            Self::Events => "/results/",
            Self::Lines => "/lines/",
        }
    }

    fn channel(self, camera: &str) -> String {
        format!("{}{camera}", self.prefix())
    }

    /// Returns the camera and the format of a channel, if it has results.
    pub fn of_channel(name: &str) -> Option<(&str, Self)> {
        Self::ALL.into_iter().find_map(|format| Some((name.strip_prefix(format.prefix())?, format)))
    }

    fn heartbeat(self) -> &'static str {
        match self {
            Self::Events => ":\n\n",
            Self::Lines => "\n",
        }
    }

    fn entry(self, camera: &str, entry: &Entry) -> String {
        let json = entry_json(camera, entry);
        match self {
            Self::Events => format!("event: results\nid: {}\ndata: {json}\n\n", entry.sequence),
            Self::Lines => json + "\n",
        }
    }
}

/// Responds with the results of the camera, of the cameras in `cameras=`, or of the frame in `at=`.
pub fn serve(
    out: ResponseOutparam,
    head_only: bool,
    camera: CameraSelector<'_>,
    query: Query<'_>,
    request: &IncomingRequest,
) {
    if let (CameraSelector::First, Some(list)) = (camera, query.get("cameras")) {
        let all: Vec<_> = list_cameras().into_iter().map(|camera| camera.name).collect();
        let Some(selected) = feed::select(&all, Some(list)) else { return feed::unknown_camera(out, head_only) };
        return serve_stream(
            out,
            head_only,
            &selected.into_iter().map(String::from).collect::<Vec<_>>(),
            query,
            request,
        );
    }
    let Some((camera, out)) = feed::find_camera(out, head_only, camera) else { return };
    match query.get("at") {
        Some(sequence) => serve_entry(out, head_only, &camera.name, sequence),
        None => serve_stream(out, head_only, &[camera.name], query, request),
    }
}

fn serve_stream(
    out: ResponseOutparam,
    head_only: bool,
    cameras: &[String],
    query: Query<'_>,
    request: &IncomingRequest,
) {
    let Some(format) = Format::requested(query, request::header(request, "accept").as_deref()) else {
        let line = "400 format= is events or lines\n";
        return response::send_line(out, head_only, &response::BAD_REQUEST, line);
    };
    let mut headers = response::no_cache_and(&response::UNBUFFERED);
    headers.push(("vary", "accept"));
    let head = Head { status: 200, headers: &headers };
    let channels: Vec<_> = cameras.iter().map(|camera| format.channel(camera)).collect();
    let options =
        ViewerOptions { opening: Vec::new(), closing: Vec::new(), max_rate: query.rate(), label: String::new() };
    viewer::respond(out, head_only, &head, format.content_type(), &channels, &options, |client| {
        publish(client, cameras, format);
    });
}

/// Responds with the results of the frame with this number.
fn serve_entry(out: ResponseOutparam, head_only: bool, camera: &str, sequence: &str) {
    let Ok(sequence) = sequence.parse() else {
        let line = "400 at= is the number of a frame, as in X-Sequence\n";
        return response::send_line(out, head_only, &response::BAD_REQUEST, line);
    };
    // The camera exists, so this cannot fail.
    let Some(entry) = get_entry(camera, sequence).ok().flatten() else {
        let line = format!("404 frame {sequence} has no results, or they are no longer kept\n");
        return response::send_line(out, head_only, &response::NOT_FOUND, &line);
    };
    let text = entry_json(camera, &entry) + "\n";
    let head = Head { status: 200, headers: &response::NO_CACHE };
    response::send(out, head_only, &head, "application/json", text.as_bytes());
}

/// Publishes the results of these cameras that are attached from now on, until the stream ends.
pub fn publish(sink: &mut impl Sink, cameras: &[String], format: Format) {
    // If one of these cameras is removed, the host ends the stream.
    let mut readers: Vec<_> = cameras.iter().filter_map(|camera| Some((camera, Reader::open(camera).ok()?))).collect();
    // The response starts with the first part.
    if sink.push(format.heartbeat().as_bytes(), None, b"").is_err() {
        return;
    }
    let mut last_push = monotonic_clock::now();
    loop {
        match push_new(sink, &mut readers, format) {
            Ok(false) if monotonic_clock::now().saturating_sub(last_push) >= HEARTBEAT_NANOSECONDS => {
                if sink.push(format.heartbeat().as_bytes(), None, b"").is_err() {
                    return;
                }
                last_push = monotonic_clock::now();
            }
            Ok(false) => {
                let mut pollables: Vec<_> = readers.iter().map(|(_, reader)| reader.subscribe()).collect();
                pollables.push(monotonic_clock::subscribe_instant(last_push.saturating_add(HEARTBEAT_NANOSECONDS)));
                poll::poll(&pollables.iter().collect::<Vec<_>>());
            }
            Ok(true) => last_push = monotonic_clock::now(),
            Err(Ended) => return,
        }
    }
}

/// Pushes everything that there is to read as one part, because a further part would replace one that is not sent yet.
/// Returns whether there was anything.
fn push_new(sink: &mut impl Sink, readers: &mut [(&String, Reader)], format: Format) -> Result<bool, Ended> {
    let mut text = String::new();
    for (camera, reader) in readers {
        while text.len() < FULL_PART
            && let Some(entry) = reader.next()
        {
            text += &format.entry(camera, &entry);
        }
    }
    if text.is_empty() {
        return Ok(false);
    }
    sink.push(text.as_bytes(), None, b"")?;
    Ok(true)
}

fn entry_json(camera: &str, entry: &Entry) -> String {
    let Entry { sequence, wall_time, findings, .. } = entry;
    let time = multipart::timestamp(wall_time.seconds, wall_time.nanoseconds);
    let number = |value| json::decimal(value, NUMBER_DECIMALS);
    let numbers = findings.numbers.iter().map(|found| (found.name.as_str(), number(found.value)));
    let texts = findings.texts.iter().map(|found| (found.name.as_str(), json::string(&found.value)));
    format!(
        "{{\"camera\":{},\"sequence\":{sequence},\"time\":{time},\"boxes\":{},\"numbers\":{},\"texts\":{}}}",
        json::string(camera),
        json::list(findings.boxes.iter().map(box_json)),
        json::object(numbers),
        json::object(texts),
    )
}

/// Returns the zones of a camera as JSON.
pub fn zones_json(camera: &str) -> String {
    // The camera exists, so this cannot fail.
    json::list(list_zones(camera).unwrap_or_default().iter().map(zone_json))
}

fn zone_json(zone: &Zone) -> String {
    let corner = |corner: &Corner| {
        json::list([corner.x, corner.y].into_iter().map(|value| json::decimal(value, COORDINATE_DECIMALS)))
    };
    let corners = json::list(zone.corners.iter().map(corner));
    format!("{{\"label\":{},\"corners\":{corners}}}", json::string(&zone.label))
}

fn box_json(found: &BoundingBox) -> String {
    let [score, left, top, width, height] = [found.score, found.left, found.top, found.width, found.height]
        .map(|value| json::decimal(value, COORDINATE_DECIMALS));
    format!(
        "{{\"label\":{},\"score\":{score},\"left\":{left},\"top\":{top},\"width\":{width},\"height\":{height}}}",
        json::string(&found.label)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::hotshoe::server::results::{Datetime, Findings, Number, Text};

    fn entry() -> Entry {
        let found = |label: &str, left| BoundingBox {
            label: label.into(),
            score: 0.5,
            left,
            top: 0.25,
            width: 1.0 / 3.0,
            height: 0.0,
        };
        Entry {
            sequence: 7,
            monotonic_time: 5,
            wall_time: Datetime { seconds: 1_700_000_000, nanoseconds: 4_005_999 },
            findings: Findings {
                boxes: [found("face", 0.0), found("\"\n", 1.0)].into(),
                numbers: [Number { name: "lux".into(), value: -12.5 }].into(),
                texts: [Text { name: "plate \"1\"".into(), value: "</script>\u{2028}".into() }].into(),
            },
        }
    }

    #[test]
    fn entries_are_json() {
        let expected = "{\"camera\":\"front\",\"sequence\":7,\"time\":1700000000.004005,\"boxes\":[\
             {\"label\":\"face\",\"score\":0.5,\"left\":0,\"top\":0.25,\"width\":0.3333,\"height\":0},\
             {\"label\":\"\\\"\\u000a\",\"score\":0.5,\"left\":1,\"top\":0.25,\"width\":0.3333,\"height\":0}],\
             \"numbers\":{\"lux\":-12.5},\"texts\":{\"plate \\\"1\\\"\":\"</script>\u{2028}\"}}";
        assert_eq!(entry_json("front", &entry()), expected);
        assert_eq!(Format::Lines.entry("front", &entry()), format!("{expected}\n"));
        assert_eq!(Format::Events.entry("front", &entry()), format!("event: results\nid: 7\ndata: {expected}\n\n"));
    }

    #[test]
    fn zones_are_json() {
        let corners = [(0.0, 0.5), (1.0, 0.5), (1.0 / 3.0, 1.0)].map(|(x, y)| Corner { x, y }).into();
        let zone = Zone { label: "\"motion\"".into(), corners };
        let expected = "{\"label\":\"\\\"motion\\\"\",\"corners\":[[0,0.5],[1,0.5],[0.3333,1]]}";
        assert_eq!(zone_json(&zone), expected);
    }

    #[test]
    fn the_query_or_the_accept_header_selects_the_format() {
        let requested = |query, accept| Format::requested(Query(query), accept);
        assert_eq!(requested("", None), Some(Format::Lines));
        assert_eq!(requested("", Some("*/*")), Some(Format::Lines));
        assert_eq!(requested("", Some("text/html, text/event-stream;q=0.9")), Some(Format::Events));
        assert_eq!(requested("format=lines", Some("text/event-stream")), Some(Format::Lines));
        assert_eq!(requested("format=events", None), Some(Format::Events));
        assert_eq!(requested("format=xml", None), None);
    }

    #[test]
    fn channels_name_their_camera_and_format() {
        for format in Format::ALL {
            assert_eq!(Format::of_channel(&format.channel("front")), Some(("front", format)));
        }
        assert_eq!(Format::of_channel("front/labelled"), None);
        assert_eq!(Format::of_channel("/events"), None);
    }
}
