//! `/snapshot`: one picture of a camera.

use crate::bindings::hotshoe::camera::cameras::Feed;
use crate::bindings::hotshoe::camera::frames::Frame;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::feed::{self, WAIT_NANOSECONDS};
use crate::part;
use crate::reply::{self, Head};
use crate::route::Which;

/// A frame younger than this is as good as the next one: clients that poll get their answer at once.
const FRESH_FOR_NANOSECONDS: u64 = 300_000_000;

/// Answer with a picture of this camera.
pub fn serve(out: ResponseOutparam, head_only: bool, camera: Which<'_>) {
    let Some((feed, out)) = feed::open(out, head_only, camera) else { return };
    let Some((frame, out)) = feed::first_frame(&feed, out, head_only) else { return };
    let Some(frame) = newer_than_stale(&feed, frame) else { return feed::no_picture(out, head_only, &feed) };
    let length = frame.image.info().length;
    let timestamp = part::timestamp(frame.wall_time.seconds, frame.wall_time.nanoseconds);
    let headers = reply::fresh_and(&[("x-timestamp", &timestamp)]);
    let head = Head { status: 200, headers: &headers };
    let Some(mut writer) = reply::begin(out, head_only, &head, "image/jpeg", Some(length)) else { return };
    if writer.splice(&frame.image.read_via_stream(), length).is_ok() {
        writer.finish();
    }
}

/// This frame if it is fresh, else the next one; and this one after all if the camera is too slow for that.
/// None if the camera was lost meanwhile.
fn newer_than_stale(feed: &Feed, frame: Frame) -> Option<Frame> {
    let age = monotonic_clock::now().saturating_sub(frame.monotonic_time);
    if age <= FRESH_FOR_NANOSECONDS {
        return Some(frame);
    }
    match feed.blocking_next(WAIT_NANOSECONDS) {
        Ok(Some(next)) => Some(next),
        _ => (!feed::is_lost(feed)).then_some(frame),
    }
}
