//! `/video_feed`: a camera as a multipart stream that never ends.

use crate::bindings::hotshoe::camera::channels::Viewing;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::feed;
use crate::part;
use crate::reply::{self, Head};

/// Answer with the stream of this camera, at this many pictures per second if that is given.
///
/// A camera that is lost is no error: its stream begins with a picture that says so, and goes on when it is back.
pub fn serve(out: ResponseOutparam, head_only: bool, camera: Option<&str>, rate: Option<f64>) {
    let Some((camera, out)) = feed::find(out, head_only, camera) else { return };
    // Proxies such as nginx must not collect parts until some buffer is full.
    let headers = reply::fresh_and(&[("x-accel-buffering", "no")]);
    let head = Head { status: 200, headers: &headers };
    let viewing = Viewing { opening: part::OPENING.into(), maximal_rate: rate };
    // The channel has the camera's name. Its publisher opens the camera, if that is not open yet.
    reply::shared(out, head_only, &head, part::CONTENT_TYPE, &camera.name, &viewing);
}
