//! `/events`: what the page has to know at once, as server-sent events (HTML Living Standard, section 9.2).
//!
//! There is one kind, `state`: the guest that serves and all cameras, as JSON. It comes when something becomes of a
//! camera, and every second. Each has the whole state, so that none needs those before it: they are parts of a channel,
//! and a slow client skips some. When another guest serves, its events come next.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::cameras::{CameraInfo, CameraState, OutageCause, Watcher, list_cameras};
use crate::bindings::hotshoe::server::channels::{Channel, ViewerOptions, count_viewers};
use crate::bindings::hotshoe::server::generations;
use crate::bindings::wasi::clocks::wall_clock;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::json;
use crate::measure::measure;
use crate::part::Format;
use crate::reply::{self, Head};

/// The channel's name: no camera's, since those have no `/`.
pub const CHANNEL: &str = "/events";

/// How long a browser waits before it comes back, where the server was away.
const RETRY_MILLISECONDS: u32 = 250;

/// How often rates and numbers of viewers are told. It also shows proxies and clients that the stream is alive.
const PERIOD_NANOSECONDS: u64 = 1_000_000_000;

/// Answer with the events.
pub fn serve(out: ResponseOutparam, head_only: bool) {
    let headers = reply::fresh_and(&reply::UNBUFFERED);
    let head = Head { status: 200, headers: &headers };
    let opening = format!("retry: {RETRY_MILLISECONDS}\n\n").into_bytes();
    // An event ends with its empty line, so nothing has to close the stream.
    let viewing = ViewerOptions { opening, closing: Vec::new(), max_rate: None, label: String::new() };
    reply::shared(out, head_only, &head, "text/event-stream", &[CHANNEL.into()], &viewing);
}

/// Push event after event.
pub fn publish(channel: &Channel) {
    let watcher = Watcher::new();
    loop {
        // Fails only if the event is too large, and then the next one is too.
        let event = format!("event: state\ndata: {}\n\n", state());
        if channel.push(event.as_bytes(), None, b"").is_err() {
            return;
        }
        watcher.blocking_changed(PERIOD_NANOSECONDS);
    }
}

/// All there is to know at this moment.
fn state() -> String {
    let guest = generations::get_generation();
    let now = wall_clock::now();
    format!(
        "{{\"guest\":{{\"number\":{},\"since\":{},\"digest\":{}}},\"now\":{}.{:03},\"cameras\":{}}}",
        guest.number,
        guest.since.seconds,
        json::text(&guest.digest),
        now.seconds,
        now.nanoseconds / 1_000_000,
        json::list(list_cameras().iter().map(camera_state))
    )
}

fn camera_state(camera: &CameraInfo) -> String {
    let (state, outage) = match &camera.state {
        CameraState::Idle => ("idle", None),
        CameraState::Starting => ("starting", None),
        CameraState::Live => ("live", None),
        CameraState::Lost(outage) => ("lost", Some(outage)),
    };
    let measured = measure(camera);
    let mode = camera.mode.as_ref();
    let counts = &camera.counts;
    let lost = counts.dropped + counts.late + counts.flagged + counts.empty + counts.malformed + counts.corrupt;
    format!(
        "{{\"name\":{},\"label\":{},\"description\":{},\"state\":\"{state}\",\"cause\":{},\"reason\":{},\"width\":{},\"height\":{},\
         \"fps\":{},\"rate\":{},\"format\":{},\"viewers\":{},\"age\":{},\"frames\":{},\"lost\":{lost}}}",
        json::text(&camera.name),
        json::text(&camera.label),
        json::text(&camera.description),
        json::optional(outage.map(|outage| json::text(cause_name(outage.cause)))),
        json::optional(outage.map(|outage| json::text(&outage.message))),
        json::optional(mode.map(|mode| mode.dimensions.width)),
        json::optional(mode.map(|mode| mode.dimensions.height)),
        json::hundredths(measured.rate),
        json::optional(mode.and_then(|mode| mode.frame_rate).map(json::hundredths)),
        json::optional(mode.and_then(|mode| mode.pixel_format.as_deref()).map(json::text)),
        viewers(&camera.name),
        json::optional(measured.age_nanoseconds.map(|age| json::hundredths(age as f64 / 1e9))),
        counts.frames,
    )
}

/// How many watch this camera's stream.
pub fn viewers(camera: &str) -> u32 {
    Format::ALL.iter().map(|format| count_viewers(&format.channel(camera))).sum()
}

/// As in the WIT.
fn cause_name(cause: OutageCause) -> &'static str {
    match cause {
        OutageCause::NotFound => "not-found",
        OutageCause::Busy => "busy",
        OutageCause::AccessDenied => "access-denied",
        OutageCause::Unsupported => "unsupported",
        OutageCause::Stalled => "stalled",
        OutageCause::Failed => "failed",
    }
}
