//! `/state`: the state of a camera in the format of ustreamer, which monitoring tools and pages know.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::cameras::{CameraInfo, CameraState};
use crate::bindings::hotshoe::server::channels::{Viewer, list_viewers};
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::feed;
use crate::filters::filters_json;
use crate::json;
use crate::measurement::measure;
use crate::multipart::{Format, PartLayout};
use crate::response::{self, Head, NO_CACHE};
use crate::route::CameraSelector;

/// Responds with the state of the camera.
pub fn serve(out: ResponseOutparam, head_only: bool, camera: CameraSelector<'_>) {
    let Some((camera, out)) = feed::find_camera(out, head_only, camera) else { return };
    let viewers: Vec<_> = Format::ALL
        .into_iter()
        .flat_map(|format| {
            list_viewers(&format.channel(&camera.name)).into_iter().map(move |viewer| (format.layout, viewer))
        })
        .collect();
    let text = state_json(&camera, measure(&camera).frame_rate, &viewers, &filters_json(&camera.name));
    response::send(out, head_only, &Head { status: 200, headers: &NO_CACHE }, "application/json", text.as_bytes());
}

/// Returns the state. ustreamer has no `filters`, which are JSON already.
fn state_json(camera: &CameraInfo, frame_rate: f64, viewers: &[(PartLayout, Viewer)], filters: &str) -> String {
    let mode = camera.mode.as_ref();
    // Images that the host does not encode come from the encoder of the device, whose quality is unknown.
    let encoder = match mode.and_then(|mode| mode.jpeg_quality) {
        Some(quality) => format!("{{\"type\":\"CPU\",\"quality\":{quality}}}"),
        None => "{\"type\":\"HW\",\"quality\":0}".into(),
    };
    let (width, height) = mode.map_or((0, 0), |mode| (mode.dimensions.width, mode.dimensions.height));
    let queued = if viewers.is_empty() { 0.0 } else { frame_rate };
    let clients: Vec<_> = viewers.iter().map(|(layout, viewer)| client_json(*layout, viewer)).collect();
    format!(
        "{{\"ok\":true,\"result\":{{\"instance_id\":\"\",\"label\":{},\"encoder\":{encoder},\
         \"source\":{{\"resolution\":{{\"width\":{width},\"height\":{height}}},\"online\":{},\"desired_fps\":{},\
         \"captured_fps\":{}}},\"stream\":{{\"queued_fps\":{},\"clients\":{},\"clients_stat\":{{{}}}}},\
         \"filters\":{filters}}}}}\n",
        json::string(&camera.label),
        matches!(camera.state, CameraState::Live),
        json::rounded(mode.and_then(|mode| mode.frame_rate).unwrap_or_default()),
        json::rounded(frame_rate),
        json::rounded(queued),
        viewers.len(),
        clients.join(","),
    )
}

/// Returns a viewer as JSON. `stream` chose its label: an identifier, and a key if the client sent one.
fn client_json(layout: PartLayout, viewer: &Viewer) -> String {
    let (id, key) = viewer.label.split_once('/').unwrap_or((&viewer.label, "0"));
    format!(
        "{}:{{\"fps\":{},\"extra_headers\":{},\"advance_headers\":{},\"dual_final_frames\":false,\"zero_data\":false,\
         \"key\":{}}}",
        json::string(id),
        json::rounded(viewer.rate),
        layout == PartLayout::ExtraHeaders,
        layout == PartLayout::AdvanceHeaders,
        json::string(key),
    )
}
