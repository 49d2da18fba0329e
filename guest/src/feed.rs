//! Reading a camera: its feed and its first frame, or the answer that says why there is none.

use alloc::format;

use crate::bindings::hotshoe::camera::cameras::{CameraInfo, CameraState, Feed, list_cameras};
use crate::bindings::hotshoe::camera::frames::Frame;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::reply;
use crate::route::Which;

/// How long to wait for a frame. A USB camera takes one or two seconds from opening to its first.
pub const WAIT_NANOSECONDS: u64 = 4_000_000_000;

/// This camera. Answers with 404 itself if there is none.
pub fn find(out: ResponseOutparam, head_only: bool, which: Which<'_>) -> Option<(CameraInfo, ResponseOutparam)> {
    let mut cameras = list_cameras().into_iter();
    let found = match which {
        Which::First => cameras.next(),
        Which::Named(name) => cameras.find(|camera| camera.name == name),
        Which::Numbered(number) => cameras.nth(number),
    };
    match found {
        Some(camera) => Some((camera, out)),
        None => {
            no_camera(out, head_only);
            None
        }
    }
}

/// Answer with 404.
pub fn no_camera(out: ResponseOutparam, head_only: bool) {
    reply::text(out, head_only, &reply::NOT_FOUND, "404 there is no camera of that name; see /\n");
}

/// Start to read this camera. Answers with 404 itself if there is none.
pub fn open(out: ResponseOutparam, head_only: bool, camera: Which<'_>) -> Option<(Feed, ResponseOutparam)> {
    let (camera, out) = find(out, head_only, camera)?;
    // It is there, and a request opens no other feed.
    Some((Feed::open(&camera.name).ok()?, out))
}

/// The camera's first frame for us. Answers with 503 itself, and the reason, if there is none soon.
pub fn first_frame(feed: &Feed, out: ResponseOutparam, head_only: bool) -> Option<(Frame, ResponseOutparam)> {
    // A lost camera is not waited for. One that is being opened is, until it works or is lost.
    let frame = if is_lost(feed) { None } else { feed.blocking_next(WAIT_NANOSECONDS).ok().flatten() };
    match frame {
        Some(frame) => Some((frame, out)),
        None => {
            no_picture(out, head_only, feed);
            None
        }
    }
}

/// Whether the host is trying to get the camera back.
pub fn is_lost(feed: &Feed) -> bool {
    matches!(feed.camera().state, CameraState::Lost(_))
}

/// Answer with 503, and why there is no picture.
pub fn no_picture(out: ResponseOutparam, head_only: bool, feed: &Feed) {
    let line = match feed.camera().state {
        CameraState::Lost(outage) => format!("503 no picture: {}\n", outage.message),
        CameraState::Idle | CameraState::Starting | CameraState::Live => "503 no picture yet, try again soon\n".into(),
    };
    reply::text(out, head_only, &reply::NO_PICTURE, &line);
}
