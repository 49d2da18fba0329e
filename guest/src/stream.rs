//! `/video_feed` and `/stream`: an endless multipart stream of a camera. `/pictures`: several cameras in one stream.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::cameras::list_cameras;
use crate::bindings::hotshoe::server::channels::ViewerOptions;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::feed;
use crate::multipart::{Boundary, Format, MULTI_CAMERA_CONTENT_TYPE, PartLayout};
use crate::publish::{CLOCKS, write_streams};
use crate::query::Query;
use crate::response::{self, Head};
use crate::route::CameraSelector;
use crate::viewer;

/// Responds with the stream of the camera in the format that the query requests.
///
/// A lost camera is not an error: its stream shows a placeholder and continues when the camera is back.
pub fn serve(out: ResponseOutparam, head_only: bool, camera: CameraSelector<'_>, query: Query<'_>, boundary: Boundary) {
    let Some((camera, out)) = feed::find_camera(out, head_only, camera) else { return };
    let format = Format { boundary, layout: PartLayout::of_query(query) };
    respond(out, head_only, query, format, boundary.content_type(), &[format.channel(&camera.name)]);
}

/// Responds with the pictures of all cameras, or of those in `cameras=`, separated by commas. Each part names its
/// camera, and `fps=` limits the rate of each camera.
pub fn serve_several(out: ResponseOutparam, head_only: bool, query: Query<'_>) {
    let cameras: Vec<_> = list_cameras().into_iter().map(|camera| camera.name).collect();
    let Some(selected) = feed::select(&cameras, query.get("cameras")) else {
        return feed::unknown_camera(out, head_only);
    };
    let format = Format { boundary: Boundary::Frame, layout: PartLayout::Labelled };
    let names: Vec<_> = selected.iter().map(|camera| format.channel(camera)).collect();
    respond(out, head_only, query, format, MULTI_CAMERA_CONTENT_TYPE, &names);
}

fn respond(
    out: ResponseOutparam,
    head_only: bool,
    query: Query<'_>,
    format: Format,
    content_type: &str,
    channels: &[String],
) {
    // Unique, because no two viewers connect in the same nanosecond.
    let id = format!("{:016x}", monotonic_clock::now());
    let key = query.key();
    let label = key.map_or_else(|| id.clone(), |key| format!("{id}/{key}"));
    // A page cannot read the headers of an `img` element, but it can read this cookie to find itself in `/state`.
    let cookie = key.map(|key| format!("stream_client={key}/{id}; path=/; max-age=30"));
    let mut headers = response::no_cache_and(&response::UNBUFFERED);
    headers.extend(cookie.as_deref().map(|cookie| ("set-cookie", cookie)));
    let head = Head { status: 200, headers: &headers };
    let options = ViewerOptions {
        opening: format.opening(CLOCKS).into_bytes(),
        closing: format.closing().into_bytes(),
        max_rate: query.rate(),
        label,
    };
    // The publisher opens the camera.
    viewer::respond(out, head_only, &head, content_type, channels, &options, |client| {
        write_streams(client, channels, options.max_rate);
    });
}
