//! `/`: a page with the live picture of every camera.

use alloc::format;
use alloc::string::String;

use crate::bindings::hotshoe::camera::cameras::{Camera, list_cameras};
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::reply::{self, FRESH, Head};

/// The page, with a place for the cameras.
const INDEX: &str = include_str!("index.html");
const PLACE: &str = "<!-- cameras -->";

/// Answer with the page.
pub fn serve(out: ResponseOutparam, head_only: bool) {
    let cameras: String = list_cameras().iter().map(figure).collect();
    let page = INDEX.replacen(PLACE, &cameras, 1);
    reply::whole(out, head_only, &Head { status: 200, headers: &FRESH }, "text/html; charset=utf-8", page.as_bytes());
}

/// One camera. Links are relative, so that the page works behind a proxy under any path.
fn figure(camera: &Camera) -> String {
    let name = &camera.name;
    let description = escape(&camera.description);
    format!(
        "<figure>\n\
         <img src=\"video_feed/{name}\" alt=\"Live picture of {name}\">\n\
         <figcaption><b>{name}</b> <span>{description}</span> <a href=\"snapshot/{name}\">snapshot</a></figcaption>\n\
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
    fn the_page_has_one_place_for_the_cameras() {
        assert_eq!(INDEX.matches(PLACE).count(), 1);
    }
}
