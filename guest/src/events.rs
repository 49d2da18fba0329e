//! `/events`: the state of the server as server-sent events (HTML Living Standard, section 9.2).
//!
//! There is one type of server-sent event, `state`: the serving guest, all cameras, and the events in their pictures that
//! continue or were the last, as JSON. It is sent every second, whenever the state of a camera changes, and when an event
//! begins or ends. Each is complete by itself. They are parts of a channel, so a slow client skips some, and after a swap
//! those of the new guest follow on the same connection.
//!
//! `/events/ID.jpg`: the best frame of an event.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::cameras::{CameraInfo, CameraState, Watcher, list_cameras};
use crate::bindings::hotshoe::server::channels::{ViewerOptions, count_viewers};
use crate::bindings::hotshoe::server::events::{self, Event};
use crate::bindings::hotshoe::server::{generations, results};
use crate::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::bindings::wasi::io::poll;
use crate::filters::filters_json;
use crate::json;
use crate::measurement::measure;
use crate::multipart::{self, Format};
use crate::outage::cause_name;
use crate::response::{self, Head};
use crate::results::zones_json;
use crate::viewer::{self, Sink};

/// The name of the channel. No camera has a `/` in its name.
pub const CHANNEL: &str = "/events";

/// How long a browser waits before it reconnects.
const RETRY_MILLISECONDS: u32 = 250;

/// The interval between events if no camera changes. Frame rates and viewer counts are up to date within this time, and
/// proxies and clients see that the connection is alive.
const INTERVAL_NANOSECONDS: u64 = 1_000_000_000;

/// How many events of each camera that have ended are sent. Clients that saw none of them for a minute can still learn
/// what happened. Those that continue are all sent: the host limits them.
const MAX_ENDED: usize = 16;

/// A camera has results if a frame that is not older than this has some. A page reads results only then.
const RESULTS_NANOSECONDS: u64 = 10_000_000_000;

/// Responds with the stream of events.
pub fn serve(out: ResponseOutparam, head_only: bool) {
    let headers = response::no_cache_and(&response::UNBUFFERED);
    let head = Head { status: 200, headers: &headers };
    let opening = format!("retry: {RETRY_MILLISECONDS}\n\n").into_bytes();
    // An event ends with an empty line, so the stream needs no closing.
    let options = ViewerOptions { opening, closing: Vec::new(), max_rate: None, label: String::new() };
    viewer::respond(out, head_only, &head, "text/event-stream", &[CHANNEL.into()], &options, publish);
}

/// Responds with the best frame of an event.
pub fn serve_image(out: ResponseOutparam, head_only: bool, id: u64) {
    // A request holds no other image, so there is no error.
    let Some(image) = events::get_image(id).ok().flatten() else {
        let line = "404 there is no event with this number, or its picture was not kept\n";
        return response::send_line(out, head_only, &response::NOT_FOUND, line);
    };
    let length = image.info().length;
    // The best frame can change while the event continues.
    let head = Head { status: 200, headers: &response::NO_CACHE };
    let Some(mut writer) = response::start(out, head_only, &head, "image/jpeg", Some(length)) else { return };
    if writer.splice(&image.read_via_stream(), length).is_ok() {
        writer.finish();
    }
}

/// Publishes the events.
pub fn publish(sink: &mut impl Sink) {
    let watcher = Watcher::new();
    loop {
        // Before the events are listed, so that none is missed.
        let events_changed = events::subscribe();
        let event = format!("event: state\ndata: {}\n\n", state_json());
        // A channel fails only if the event is too large. The next one would be as large.
        if sink.push(event.as_bytes(), None, b"").is_err() {
            return;
        }
        let next = monotonic_clock::now().saturating_add(INTERVAL_NANOSECONDS);
        let interval = monotonic_clock::subscribe_instant(next);
        poll::poll(&[&watcher.subscribe(), &events_changed, &interval]);
        // The next event contains the change.
        watcher.changed();
    }
}

fn state_json() -> String {
    let guest = generations::get_generation();
    let now = wall_clock::now();
    format!(
        "{{\"guest\":{{\"number\":{},\"since\":{},\"digest\":{}}},\"now\":{}.{:03},\"cameras\":{},\"events\":{}}}",
        guest.number,
        guest.since.seconds,
        json::string(&guest.digest),
        now.seconds,
        now.nanoseconds / 1_000_000,
        json::list(list_cameras().iter().map(camera_json)),
        json::list(to_send(events::list_events()).iter().map(event_json))
    )
}

/// Returns the events that continue and the last [`MAX_ENDED`] of each camera that have ended, in the same order.
fn to_send(mut events: Vec<Event>) -> Vec<Event> {
    let mut ended: Vec<(String, usize)> = Vec::new();
    // From the newest one.
    events.reverse();
    events.retain(|event| {
        if event.end.is_none() {
            return true;
        }
        match ended.iter_mut().find(|(camera, _)| *camera == event.camera) {
            Some((_, count)) => {
                *count += 1;
                *count <= MAX_ENDED
            }
            None => {
                ended.push((event.camera.clone(), 1));
                true
            }
        }
    });
    events.reverse();
    events
}

fn event_json(event: &Event) -> String {
    let time = |time: &wall_clock::Datetime| multipart::timestamp(time.seconds, time.nanoseconds);
    format!(
        "{{\"id\":{},\"camera\":{},\"label\":{},\"begin\":{},\"end\":{},\"sequence\":{},\"score\":{}}}",
        event.id,
        json::string(&event.camera),
        json::string(&event.label),
        time(&event.begin),
        json::optional(event.end.as_ref().map(time)),
        event.best_sequence,
        json::two_decimals(event.best_score),
    )
}

/// Returns the number of the last frame with results, if it is recent.
fn newest_result(camera: &str) -> Option<u64> {
    let newest = results::get_newest_entry(camera).ok().flatten()?;
    let age = monotonic_clock::now().saturating_sub(newest.monotonic_time);
    (age <= RESULTS_NANOSECONDS).then_some(newest.sequence)
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
         \"fps\":{},\"rate\":{},\"format\":{},\"viewers\":{},\"age\":{},\"frames\":{},\"lost\":{lost},\"results\":{},\"zones\":{},\"filters\":{}}}",
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
        json::optional(newest_result(&camera.name)),
        zones_json(&camera.name),
        filters_json(&camera.name),
    )
}

/// Returns the number of viewers of a camera's streams, in all formats.
fn count_stream_viewers(camera: &str) -> u32 {
    Format::ALL.iter().map(|format| count_viewers(&format.channel(camera))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_continue_are_sent_however_many_follow_them() {
        let time = wall_clock::Datetime { seconds: 0, nanoseconds: 0 };
        let event = |id: u64, camera: &str, end| Event {
            id,
            camera: camera.into(),
            label: "face".into(),
            begin: time,
            end,
            best_sequence: 0,
            best_score: 1.0,
        };
        let busy = (3..100).map(|id| event(id, "busy", Some(time)));
        let events = [event(1, "busy", None), event(2, "quiet", Some(time))].into_iter().chain(busy).collect();
        let sent: Vec<_> = to_send(events).iter().map(|event| event.id).collect();
        let expected: Vec<_> = [1, 2].into_iter().chain(100 - MAX_ENDED as u64..100).collect();
        assert_eq!(sent, expected);
    }
}
