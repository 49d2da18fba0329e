//! `/video_feed` and `/stream`: a camera as a multipart stream that never ends.

use alloc::format;

use crate::bindings::hotshoe::camera::channels::Viewing;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::feed;
use crate::part::{Boundary, Format, Framing};
use crate::publish::CLOCKS;
use crate::query::Query;
use crate::reply::{self, Head};
use crate::route::Which;

/// Answer with the stream of this camera, with this boundary and as the query wants it.
///
/// A camera that is lost is no error: its stream begins with a picture that says so, and goes on when it is back.
pub fn serve(out: ResponseOutparam, head_only: bool, camera: Which<'_>, query: Query<'_>, boundary: Boundary) {
    let Some((camera, out)) = feed::find(out, head_only, camera) else { return };
    let format = Format { boundary, framing: Framing::of(query) };
    // No two viewers come in the same nanosecond.
    let id = format!("{:016x}", monotonic_clock::now());
    let key = query.key();
    let label = key.map_or_else(|| id.clone(), |key| format!("{id}/{key}"));
    // A page cannot read the headers of what its `img` shows, but it can read this, and find itself in `/state`.
    let cookie = key.map(|key| format!("stream_client={key}/{id}; path=/; max-age=30"));
    let mut headers = reply::fresh_and(&reply::UNBUFFERED);
    headers.extend(cookie.as_deref().map(|cookie| ("set-cookie", cookie)));
    let head = Head { status: 200, headers: &headers };
    let viewing = Viewing {
        opening: format.opening(CLOCKS).into_bytes(),
        closing: format.closing().into_bytes(),
        maximal_rate: query.rate(),
        label,
    };
    // Its publisher opens the camera, if that is not open yet.
    reply::shared(out, head_only, &head, boundary.content_type(), &format.channel(&camera.name), &viewing);
}
