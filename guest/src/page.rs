//! `/`: a page with the live picture of every camera.

use alloc::format;
use alloc::string::String;

use crate::bindings::hotshoe::camera::cameras::{Camera, State, list_cameras};
use crate::bindings::hotshoe::camera::generations;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::reply::{self, FRESH, Head};

/// The page, with places for the cameras and for the digest of the guest that made it.
const INDEX: &str = include_str!("index.html");
const CAMERAS: &str = "<!-- cameras -->";
const GUEST: &str = "<!-- guest -->";

/// How many cameras are shown as streams. A browser holds six connections to a server, and of those the page needs
/// one for its events, and one for all that comes and goes: the other cameras' snapshots.
const STREAMS: usize = 4;

/// Answer with the page.
pub fn serve(out: ResponseOutparam, head_only: bool) {
    let cameras: String =
        list_cameras().iter().enumerate().map(|(index, camera)| figure(camera, index < STREAMS)).collect();
    let digest = generations::own_generation().digest;
    let page = INDEX.replacen(GUEST, &digest, 1).replacen(CAMERAS, &cameras, 1);
    reply::whole(out, head_only, &Head { status: 200, headers: &FRESH }, "text/html; charset=utf-8", page.as_bytes());
}

/// One camera. Links are relative, so that the page works behind a proxy under any path.
fn figure(camera: &Camera, live: bool) -> String {
    let name = &camera.name;
    let description = escape(&camera.description);
    let trouble = match &camera.state {
        State::Lost(outage) => format!(" <span class=\"trouble\">{}</span>", escape(&outage.message)),
        State::Idle | State::Starting | State::Live => String::new(),
    };
    let (source, class) = if live { ("video_feed", "live") } else { ("snapshot", "still") };
    format!(
        "<figure>\n\
         <img src=\"{source}/{name}\" class=\"{class}\" alt=\"Live picture of {name}\">\n\
         <figcaption><b>{name}</b> <span>{description}</span>{trouble} <a href=\"snapshot/{name}\">snapshot</a></figcaption>\n\
         </figure>\n"
    )
}

/// Text for HTML. A camera's description holds what its maker wrote into the device.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_calls_itself_cannot_become_markup() {
        assert_eq!(escape("<Cam & \"Co\"'s>"), "&lt;Cam &amp; &quot;Co&quot;&#39;s&gt;");
    }

    #[test]
    fn the_page_has_its_places() {
        for place in [CAMERAS, GUEST] {
            assert_eq!(INDEX.matches(place).count(), 1);
        }
    }
}
