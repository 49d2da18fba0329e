//! Finding cameras and opening feeds, or responding with the reason why that fails.
//!
//! Functions that return an `Option` with the `ResponseOutparam` have sent an error response if they return `None`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::cameras::{CameraInfo, CameraState, Feed, list_cameras};
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::outage;
use crate::response::{self, Head};
use crate::route::CameraSelector;

/// Returns the selected camera, or responds with 404.
pub fn find_camera(
    out: ResponseOutparam,
    head_only: bool,
    selector: CameraSelector<'_>,
) -> Option<(CameraInfo, ResponseOutparam)> {
    let mut cameras = list_cameras().into_iter();
    let found = match selector {
        CameraSelector::First => cameras.next(),
        CameraSelector::Name(name) => cameras.find(|camera| camera.name == name),
        CameraSelector::Index(index) => cameras.nth(index),
    };
    match found {
        Some(camera) => Some((camera, out)),
        None => {
            unknown_camera(out, head_only);
            None
        }
    }
}

/// Returns the cameras in a comma-separated list, each once, or all of them without a list. Returns `None` if a camera
/// does not exist.
pub fn select<'a>(cameras: &'a [String], list: Option<&str>) -> Option<Vec<&'a str>> {
    let Some(list) = list else { return Some(cameras.iter().map(String::as_str).collect()) };
    let exists = |name: &str| cameras.iter().any(|camera| camera == name);
    let is_listed = |name: &str| list.split(',').any(|listed| listed == name);
    list.split(',').all(exists).then(|| cameras.iter().map(String::as_str).filter(|name| is_listed(name)).collect())
}

/// Responds with 404.
pub fn unknown_camera(out: ResponseOutparam, head_only: bool) {
    response::send_line(out, head_only, &response::NOT_FOUND, "404 there is no camera with this name; see /\n");
}

/// Opens a feed of the selected camera, or responds with 404.
pub fn open(out: ResponseOutparam, head_only: bool, camera: CameraSelector<'_>) -> Option<(Feed, ResponseOutparam)> {
    let (camera, out) = find_camera(out, head_only, camera)?;
    // The camera exists, and a request opens no other feed, so this cannot fail.
    Some((Feed::open(&camera.name).ok()?, out))
}

/// Whether the camera is in an outage.
pub fn is_lost(feed: &Feed) -> bool {
    matches!(feed.camera().state, CameraState::Lost(_))
}

/// Responds with 503 and the reason why there is no picture.
pub fn no_picture(out: ResponseOutparam, head_only: bool, feed: &Feed) {
    let state = feed.camera().state;
    let outage = outage::header_value(&state);
    let line = match state {
        CameraState::Lost(outage) => format!("503 no picture: {}\n", outage.message),
        CameraState::Idle | CameraState::Starting | CameraState::Live => "503 no picture yet, try again soon\n".into(),
    };
    let mut headers = response::UNAVAILABLE.headers.to_vec();
    headers.extend(outage.as_deref().map(|outage| ("x-outage", outage)));
    response::send_line(out, head_only, &Head { status: response::UNAVAILABLE.status, headers: &headers }, &line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_are_selected_by_name() {
        let cameras = ["front", "yard", "shed"].map(String::from);
        assert_eq!(select(&cameras, None), Some(["front", "yard", "shed"].into()));
        assert_eq!(select(&cameras, Some("shed,front,shed")), Some(["front", "shed"].into()));
        for none in ["", "front,", "front,barn", "Front"] {
            assert_eq!(select(&cameras, Some(none)), None, "{none}");
        }
    }
}
