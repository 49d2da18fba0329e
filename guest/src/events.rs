//! `/events`: the state of the server as server-sent events (HTML Living Standard, section 9.2).
//!
//! There is one type of event, `state`: the serving guest and all cameras, as JSON. It is sent every second and
//! whenever the state of a camera changes. Each event is complete by itself. Events are parts of a channel, so a slow
//! client skips some, and after a swap the events of the new guest follow on the same connection.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::cameras::{CameraInfo, CameraState, Watcher, list_cameras};
use crate::bindings::hotshoe::server::channels::{ViewerOptions, count_viewers};
use crate::bindings::hotshoe::server::generations;
use crate::bindings::wasi::clocks::wall_clock;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::json;
use crate::measurement::measure;
use crate::multipart::Format;
use crate::outage::cause_name;
use crate::response::{self, Head};
use crate::viewer::{self, Sink};

/// The name of the channel. No camera has a `/` in its name.
pub const CHANNEL: &str = "/events";

/// How long a browser waits before it reconnects.
const RETRY_MILLISECONDS: u32 = 250;

/// The interval between events if no camera changes. Frame rates and viewer counts are up to date within this time, and
/// proxies and clients see that the connection is alive.
const INTERVAL_NANOSECONDS: u64 = 1_000_000_000;

/// Responds with the stream of events.
pub fn serve(out: ResponseOutparam, head_only: bool) {
    let headers = response::no_cache_and(&response::UNBUFFERED);
    let head = Head { status: 200, headers: &headers };
    let opening = format!("retry: {RETRY_MILLISECONDS}\n\n").into_bytes();
    // An event ends with an empty line, so the stream needs no closing.
    let options = ViewerOptions { opening, closing: Vec::new(), max_rate: None, label: String::new() };
    viewer::respond(out, head_only, &head, "text/event-stream", &[CHANNEL.into()], &options, publish);
}

/// Publishes the events.
pub fn publish(sink: &mut impl Sink) {
    let watcher = Watcher::new();
    loop {
        let event = format!("event: state\ndata: {}\n\n", state_json());
        // A channel fails only if the event is too large. The next one would be as large.
        if sink.push(event.as_bytes(), None, b"").is_err() {
            return;
        }
        watcher.blocking_changed(INTERVAL_NANOSECONDS);
    }
}

fn state_json() -> String {
    let guest = generations::get_generation();
    let now = wall_clock::now();
    format!(
        "{{\"guest\":{{\"number\":{},\"since\":{},\"digest\":{}}},\"now\":{}.{:03},\"cameras\":{}}}",
        guest.number,
        guest.since.seconds,
        json::string(&guest.digest),
        now.seconds,
        now.nanoseconds / 1_000_000,
        json::list(list_cameras().iter().map(camera_json))
    )
}

fn camera_json(camera: &CameraInfo) -> String {
    let (state, outage) = match &camera.state {
        CameraState::Idle => ("idle", None),
        CameraState::Starting => ("starting", None),
        CameraState::Live => ("live", None),
        CameraState::Lost(outage) => ("lost", Some(outage)),
    };
    let measurement = measure(camera);
    let mode = camera.mode.as_ref();
    let counts = &camera.counts;
    let lost = counts.dropped + counts.late + counts.flagged + counts.empty + counts.malformed + counts.corrupt;
    format!(
        "{{\"name\":{},\"label\":{},\"description\":{},\"state\":\"{state}\",\"cause\":{},\"reason\":{},\"width\":{},\"height\":{},\
         \"fps\":{},\"rate\":{},\"format\":{},\"viewers\":{},\"age\":{},\"frames\":{},\"lost\":{lost}}}",
        json::string(&camera.name),
        json::string(&camera.label),
        json::string(&camera.description),
        json::optional(outage.map(|outage| json::string(cause_name(outage.cause)))),
        json::optional(outage.map(|outage| json::string(&outage.message))),
        json::optional(mode.map(|mode| mode.dimensions.width)),
        json::optional(mode.map(|mode| mode.dimensions.height)),
        json::two_decimals(measurement.frame_rate),
        json::optional(mode.and_then(|mode| mode.frame_rate).map(json::two_decimals)),
        json::optional(mode.and_then(|mode| mode.pixel_format.as_deref()).map(json::string)),
        count_stream_viewers(&camera.name),
        json::optional(measurement.age_nanoseconds.map(|age| json::two_decimals(age as f64 / 1e9))),
        counts.frames,
    )
}

/// Returns the number of viewers of a camera's streams, in all formats.
fn count_stream_viewers(camera: &str) -> u32 {
    Format::ALL.iter().map(|format| count_viewers(&format.channel(camera))).sum()
}
