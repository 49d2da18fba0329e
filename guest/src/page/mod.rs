//! `/`: a page with the live picture of every camera. Its files are put together into one answer: it needs no others.

use alloc::string::String;

use crate::bindings::hotshoe::camera::cameras::{CameraInfo, list_cameras};
use crate::bindings::hotshoe::server::generations;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::reply::{self, Head};

/// The page, and the places in it, each there once.
const PAGE: &str = include_str!("page.html");
const GUEST: &str = "{guest}";
const STYLE: &str = "/* style */";
const SCRIPT: &str = "/* script */";
const CAMERAS: &str = "<!-- cameras -->";

/// One camera, and the places in it.
const CARD: &str = include_str!("card.html");
const NAME: &str = "{name}";
const LABEL: &str = "{label}";
const DESCRIPTION: &str = "{description}";

const LOOKS: &str = include_str!("style.css");

/// The body of one function, in this order.
const SCRIPTS: &str = concat!(
    include_str!("script/cards.js"),
    include_str!("script/parts.js"),
    include_str!("script/pictures.js"),
    include_str!("script/status.js"),
    include_str!("script/events.js"),
    include_str!("script/snippets.js"),
    include_str!("script/controls.js"),
    include_str!("script/hands.js"),
    include_str!("script/run.js"),
);

/// Answer with the page.
pub fn serve(out: ResponseOutparam, head_only: bool) {
    let page = page(&generations::get_generation().digest, &list_cameras());
    let headers = reply::fresh_and(&[("content-security-policy", reply::POLICY)]);
    let head = Head { status: 200, headers: &headers };
    reply::whole(out, head_only, &head, "text/html; charset=utf-8", page.as_bytes());
}

fn page(digest: &str, cameras: &[CameraInfo]) -> String {
    let cards: String = cameras.iter().map(card).collect();
    // What cameras call themselves comes last, so that none of it is taken for a place.
    let page = PAGE.replacen(GUEST, digest, 1).replacen(STYLE, LOOKS, 1).replacen(SCRIPT, SCRIPTS, 1);
    page.replacen(CAMERAS, &cards, 1)
}

/// One camera. Links are relative, so that the page works behind a proxy under any path.
fn card(camera: &CameraInfo) -> String {
    // Without braces, so that nothing in it is taken for a place.
    let label = escape(&camera.label).replace('{', "&#123;");
    let card = CARD.replace(NAME, &camera.name).replace(LABEL, &label);
    card.replace(DESCRIPTION, &escape(&camera.description))
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
    use crate::bindings::hotshoe::camera::cameras::{CameraState, FrameCounts};

    fn camera(name: &str, description: &str) -> CameraInfo {
        let counts = FrameCounts { frames: 0, dropped: 0, late: 0, flagged: 0, empty: 0, malformed: 0, corrupt: 0 };
        CameraInfo {
            name: name.into(),
            label: name.into(),
            description: description.into(),
            state: CameraState::Idle,
            mode: None,
            counts,
        }
    }

    #[test]
    fn what_a_device_calls_itself_cannot_become_markup() {
        assert_eq!(escape("<Cam & \"Co\"'s>"), "&lt;Cam &amp; &quot;Co&quot;&#39;s&gt;");
        let page = page("0", &[camera("a", "/* script */ {name} <script>"), camera("b", "<!-- cameras -->")]);
        assert!(page.contains("/* script */ {name} &lt;script&gt;") && page.contains("&lt;!-- cameras --&gt;"));
        assert_eq!(page.matches("<script>").count(), 1);
    }

    #[test]
    fn a_label_is_shown_and_cannot_become_markup() {
        let label = "\u{7384}\u{95a2} <b> {description}";
        let page = page("0", &[CameraInfo { label: label.into(), ..camera("a", "device") }]);
        assert!(page.contains("<bdi>\u{7384}\u{95a2} &lt;b&gt; &#123;description}</bdi>"));
        assert!(page.contains("data-camera=\"a\"") && !page.contains("<b>"));
    }

    #[test]
    fn the_page_has_its_places() {
        for place in [GUEST, STYLE, SCRIPT, CAMERAS] {
            assert_eq!(PAGE.matches(place).count(), 1, "{place}");
        }
        for place in [NAME, LABEL, DESCRIPTION] {
            assert!(CARD.contains(place), "{place}");
        }
    }

    #[test]
    fn the_page_is_light() {
        let page = page("0", &[camera("front", "HD Webcam at /dev/video0")]);
        assert!(page.len() < 40_000, "{}", page.len());
    }
}
