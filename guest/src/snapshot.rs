//! `/snapshot`: one picture of a camera.

use alloc::string::ToString as _;

use crate::bindings::hotshoe::camera::cameras::Feed;
use crate::bindings::hotshoe::camera::frames::Frame;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::feed;
use crate::multipart;
use crate::query::{InvalidTime, Query};
use crate::response::{self, Head};
use crate::route::CameraSelector;

/// Without `max_age=`, a frame that is at most this old is sent at once, so that clients that poll do not wait.
const PREFERRED_AGE_NANOSECONDS: u64 = 300_000_000;

/// How long a request may wait for its frame. A USB camera takes one or two seconds from opening to its first frame,
/// and OctoPrint waits at most five seconds for the response.
const TIMEOUT_NANOSECONDS: u64 = 4_000_000_000;

/// Which frames answer a request.
struct Wanted {
    /// A frame that was captured at this time or later is sent at once.
    captured_since: u64,
    /// Whether an older frame is acceptable if there is none.
    accepts_older: bool,
}

/// Why there is no frame to send.
enum NoFrame {
    /// The camera has delivered nothing.
    NoPicture,
    /// The camera has delivered only frames that are too old.
    TooOld,
}

/// Responds with a picture of the camera, at most as old as `max_age=` says.
pub fn serve(out: ResponseOutparam, head_only: bool, camera: CameraSelector<'_>, query: Query<'_>) {
    let now = monotonic_clock::now();
    let wanted = match query.nanoseconds("max_age") {
        None => Wanted { captured_since: now.saturating_sub(PREFERRED_AGE_NANOSECONDS), accepts_older: true },
        Some(Ok(age)) => Wanted { captured_since: now.saturating_sub(age), accepts_older: false },
        Some(Err(InvalidTime)) => {
            let line = "400 max_age must be a number of seconds or milliseconds, such as 0, 2s or 500ms\n";
            return response::send_line(out, head_only, &response::BAD_REQUEST, line);
        }
    };
    let Some((feed, out)) = feed::open(out, head_only, camera) else { return };
    let frame = match frame(&feed, &wanted, now.saturating_add(TIMEOUT_NANOSECONDS)) {
        Ok(frame) => frame,
        Err(NoFrame::NoPicture) => return feed::no_picture(out, head_only, &feed),
        Err(NoFrame::TooOld) => {
            let line = "503 no picture as new as max_age= asks arrived within 4 seconds; \
                        for a slow camera, use a larger max_age=\n";
            return response::send_line(out, head_only, &response::UNAVAILABLE, line);
        }
    };
    let length = frame.image.info().length;
    let timestamp = multipart::timestamp(frame.wall_time.seconds, frame.wall_time.nanoseconds);
    let sequence = frame.sequence.to_string();
    let headers = response::no_cache_and(&[("x-timestamp", &timestamp), ("x-sequence", &sequence)]);
    let head = Head { status: 200, headers: &headers };
    let Some(mut writer) = response::start(out, head_only, &head, "image/jpeg", Some(length)) else { return };
    if writer.splice(&frame.image.read_via_stream(), length).is_ok() {
        writer.finish();
    }
}

/// Waits for a wanted frame until `deadline`. Does not wait while the camera is lost.
fn frame(feed: &Feed, wanted: &Wanted, deadline: u64) -> Result<Frame, NoFrame> {
    let mut older: Option<Frame> = None;
    while !feed::is_lost(feed) {
        let left = deadline.saturating_sub(monotonic_clock::now());
        // Fails only if this instance holds too many images, and it holds at most two.
        let next = if left > 0 { feed.blocking_next(left).ok().flatten() } else { None };
        match (next, older) {
            (Some(next), _) if next.monotonic_time >= wanted.captured_since => return Ok(next),
            // A camera whose frames arrive late will not deliver a newer one.
            (Some(next), Some(_)) if wanted.accepts_older => return Ok(next),
            (Some(next), _) => older = Some(next),
            // The time is up, or the camera is lost now.
            (None, _) if feed::is_lost(feed) => break,
            (None, Some(older)) if wanted.accepts_older => return Ok(older),
            (None, Some(_)) => return Err(NoFrame::TooOld),
            (None, None) => break,
        }
    }
    Err(NoFrame::NoPicture)
}
