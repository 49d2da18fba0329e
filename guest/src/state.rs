//! `/state`: a camera's state by the keys of ustreamer's, which monitoring and pages know.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::cameras::{CameraInfo, CameraState};
use crate::bindings::hotshoe::server::channels::{Viewer, list_viewers};
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::feed;
use crate::json;
use crate::measure::measure;
use crate::part::{Format, Framing};
use crate::reply::{self, FRESH, Head};
use crate::route::Which;

/// Answer with the state of this camera.
pub fn serve(out: ResponseOutparam, head_only: bool, camera: Which<'_>) {
    let Some((camera, out)) = feed::find(out, head_only, camera) else { return };
    let viewers: Vec<_> = Format::ALL
        .into_iter()
        .flat_map(|format| {
            list_viewers(&format.channel(&camera.name)).into_iter().map(move |viewer| (format.framing, viewer))
        })
        .collect();
    let text = state(&camera, measure(&camera).rate, &viewers);
    reply::whole(out, head_only, &Head { status: 200, headers: &FRESH }, "application/json", text.as_bytes());
}

fn state(camera: &CameraInfo, captured: f64, viewers: &[(Framing, Viewer)]) -> String {
    // Images that come from the device as JPEG are its hardware's; how good they are, it does not say.
    let mode = camera.mode.as_ref();
    let encoder = match mode.and_then(|mode| mode.jpeg_quality) {
        Some(quality) => format!("{{\"type\":\"CPU\",\"quality\":{quality}}}"),
        None => "{\"type\":\"HW\",\"quality\":0}".into(),
    };
    let (width, height) = mode.map_or((0, 0), |mode| (mode.dimensions.width, mode.dimensions.height));
    let queued = if viewers.is_empty() { 0.0 } else { captured };
    let clients: Vec<_> = viewers.iter().map(|(framing, viewer)| client(*framing, viewer)).collect();
    format!(
        "{{\"ok\":true,\"result\":{{\"instance_id\":\"\",\"label\":{},\"encoder\":{encoder},\
         \"source\":{{\"resolution\":{{\"width\":{width},\"height\":{height}}},\"online\":{},\"desired_fps\":{},\
         \"captured_fps\":{}}},\"stream\":{{\"queued_fps\":{},\"clients\":{},\"clients_stat\":{{{}}}}}}}}}\n",
        json::text(&camera.label),
        matches!(camera.state, CameraState::Live),
        json::rounded(mode.and_then(|mode| mode.frame_rate).unwrap_or_default()),
        json::rounded(captured),
        json::rounded(queued),
        viewers.len(),
        clients.join(","),
    )
}

/// A viewer, by the label that `stream` gave it.
fn client(framing: Framing, viewer: &Viewer) -> String {
    let (id, key) = viewer.label.split_once('/').unwrap_or((&viewer.label, "0"));
    format!(
        "{}:{{\"fps\":{},\"extra_headers\":{},\"advance_headers\":{},\"dual_final_frames\":false,\"zero_data\":false,\
         \"key\":{}}}",
        json::text(id),
        json::rounded(viewer.rate),
        framing == Framing::Extra,
        framing == Framing::Advance,
        json::text(key),
    )
}
