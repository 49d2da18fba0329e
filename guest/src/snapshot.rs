//! `/snapshot`: one picture of a camera.

use crate::bindings::hotshoe::camera::cameras::Feed;
use crate::bindings::hotshoe::camera::frames::Frame;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::feed::{self, FRAME_TIMEOUT_NANOSECONDS};
use crate::multipart;
use crate::response::{self, Head};
use crate::route::CameraSelector;

/// A frame that is at most this old is sent at once, so that clients that poll do not wait.
const MAX_AGE_NANOSECONDS: u64 = 300_000_000;

/// Responds with a picture of the camera.
pub fn serve(out: ResponseOutparam, head_only: bool, camera: CameraSelector<'_>) {
    let Some((feed, out)) = feed::open(out, head_only, camera) else { return };
    let Some((frame, out)) = feed::first_frame(&feed, out, head_only) else { return };
    let Some(frame) = fresh_frame(&feed, frame) else { return feed::no_picture(out, head_only, &feed) };
    let length = frame.image.info().length;
    let timestamp = multipart::timestamp(frame.wall_time.seconds, frame.wall_time.nanoseconds);
    let headers = response::no_cache_and(&[("x-timestamp", &timestamp)]);
    let head = Head { status: 200, headers: &headers };
    let Some(mut writer) = response::start(out, head_only, &head, "image/jpeg", Some(length)) else { return };
    if writer.splice(&frame.image.read_via_stream(), length).is_ok() {
        writer.finish();
    }
}

/// Returns `frame` if it is fresh, and the next frame otherwise. Returns `frame` after all if the next one takes too
/// long, and `None` if the camera is lost meanwhile.
fn fresh_frame(feed: &Feed, frame: Frame) -> Option<Frame> {
    let age = monotonic_clock::now().saturating_sub(frame.monotonic_time);
    if age <= MAX_AGE_NANOSECONDS {
        return Some(frame);
    }
    match feed.blocking_next(FRAME_TIMEOUT_NANOSECONDS) {
        Ok(Some(next)) => Some(next),
        _ => (!feed::is_lost(feed)).then_some(frame),
    }
}
