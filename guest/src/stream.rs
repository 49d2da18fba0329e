//! `/video_feed` and `/stream`: a camera as a multipart stream that never ends. `/pictures`: several cameras in one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::cameras::list_cameras;
use crate::bindings::hotshoe::server::channels::ViewerOptions;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::feed;
use crate::part::{Boundary, CONTENT_TYPE_OF_SEVERAL, Format, Framing};
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
    answer(out, head_only, query, format, boundary.content_type(), &[format.channel(&camera.name)]);
}

/// Answer with the pictures of all cameras, or of those that `cameras=` names, separated by commas. Each part tells which
/// camera it is of, and `fps=` limits the pictures of each.
pub fn serve_several(out: ResponseOutparam, head_only: bool, query: Query<'_>) {
    let cameras: Vec<_> = list_cameras().into_iter().map(|camera| camera.name).collect();
    let Some(chosen) = choose(&cameras, query.get("cameras")) else { return feed::no_camera(out, head_only) };
    let format = Format { boundary: Boundary::Frame, framing: Framing::Labelled };
    let names: Vec<_> = chosen.iter().map(|camera| format.channel(camera)).collect();
    answer(out, head_only, query, format, CONTENT_TYPE_OF_SEVERAL, &names);
}

/// Those of these cameras that were asked for, each once; none if one of them is not there.
fn choose<'a>(cameras: &'a [String], wanted: Option<&str>) -> Option<Vec<&'a str>> {
    let Some(wanted) = wanted else { return Some(cameras.iter().map(String::as_str).collect()) };
    let is_there = |name: &str| cameras.iter().any(|camera| camera == name);
    let is_wanted = |name: &str| wanted.split(',').any(|wanted| wanted == name);
    wanted.split(',').all(is_there).then(|| cameras.iter().map(String::as_str).filter(|name| is_wanted(name)).collect())
}

fn answer(
    out: ResponseOutparam,
    head_only: bool,
    query: Query<'_>,
    format: Format,
    content_type: &str,
    channels: &[String],
) {
    // No two viewers come in the same nanosecond.
    let id = format!("{:016x}", monotonic_clock::now());
    let key = query.key();
    let label = key.map_or_else(|| id.clone(), |key| format!("{id}/{key}"));
    // A page cannot read the headers of what its `img` shows, but it can read this, and find itself in `/state`.
    let cookie = key.map(|key| format!("stream_client={key}/{id}; path=/; max-age=30"));
    let mut headers = reply::fresh_and(&reply::UNBUFFERED);
    headers.extend(cookie.as_deref().map(|cookie| ("set-cookie", cookie)));
    let head = Head { status: 200, headers: &headers };
    let viewing = ViewerOptions {
        opening: format.opening(CLOCKS).into_bytes(),
        closing: format.closing().into_bytes(),
        max_rate: query.rate(),
        label,
    };
    // Its publisher opens the camera, if that is not open yet.
    reply::shared(out, head_only, &head, content_type, channels, &viewing);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_are_chosen_by_their_names() {
        let cameras = ["front", "yard", "shed"].map(String::from);
        assert_eq!(choose(&cameras, None), Some(["front", "yard", "shed"].into()));
        assert_eq!(choose(&cameras, Some("shed,front,shed")), Some(["front", "shed"].into()));
        for none in ["", "front,", "front,barn", "Front"] {
            assert_eq!(choose(&cameras, Some(none)), None, "{none}");
        }
    }
}
