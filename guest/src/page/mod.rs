//! `/`: a page with the live pictures of all cameras. It is one response; the page loads no other files.

use alloc::string::String;

use crate::bindings::hotshoe::camera::cameras::{CameraInfo, list_cameras};
use crate::bindings::hotshoe::server::generations;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::response::{self, Head};

/// The page and its placeholders, each of which occurs once.
const PAGE: &str = include_str!("page.html");
const GUEST: &str = "{guest}";
const STYLE: &str = "/* style */";
const SCRIPT: &str = "/* script */";
const CAMERAS: &str = "<!-- cameras -->";

/// The card of a camera and its placeholders.
const CARD: &str = include_str!("card.html");
const NAME: &str = "{name}";
const LABEL: &str = "{label}";
const DESCRIPTION: &str = "{description}";

const STYLESHEET: &str = include_str!("style.css");

/// The scripts in this order form the body of one function.
const SCRIPTS: &str = concat!(
    include_str!("script/common.js"),
    include_str!("script/multipart.js"),
    include_str!("script/pictures.js"),
    include_str!("script/results.js"),
    include_str!("script/minute.js"),
    include_str!("script/status.js"),
    include_str!("script/events.js"),
    include_str!("script/snippets.js"),
    include_str!("script/controls.js"),
    include_str!("script/input.js"),
    include_str!("script/main.js"),
);

/// Responds with the page.
pub fn serve(out: ResponseOutparam, head_only: bool) {
    let page = page(&generations::get_generation().digest, &list_cameras());
    let headers = response::no_cache_and(&[("content-security-policy", response::CONTENT_SECURITY_POLICY)]);
    let head = Head { status: 200, headers: &headers };
    response::send(out, head_only, &head, "text/html; charset=utf-8", page.as_bytes());
}

fn page(digest: &str, cameras: &[CameraInfo]) -> String {
    let cards: String = cameras.iter().map(card).collect();
    // The cards are inserted last, because text from cameras could contain a placeholder.
    let page = PAGE.replacen(GUEST, digest, 1).replacen(STYLE, STYLESHEET, 1).replacen(SCRIPT, SCRIPTS, 1);
    page.replacen(CAMERAS, &cards, 1)
}

/// Returns the card of a camera. Links are relative, so that the page works behind a proxy under any path.
fn card(camera: &CameraInfo) -> String {
    // Escape braces, because a label could contain a placeholder.
    let label = escape(&camera.label).replace('{', "&#123;");
    let card = CARD.replace(NAME, &camera.name).replace(LABEL, &label);
    card.replace(DESCRIPTION, &escape(&camera.description))
}

/// Escapes text for HTML. The description of a camera contains strings from the device.
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
    fn text_from_devices_is_escaped() {
        assert_eq!(escape("<Cam & \"Co\"'s>"), "&lt;Cam &amp; &quot;Co&quot;&#39;s&gt;");
        let page = page("0", &[camera("a", "/* script */ {name} <script>"), camera("b", "<!-- cameras -->")]);
        assert!(page.contains("/* script */ {name} &lt;script&gt;") && page.contains("&lt;!-- cameras --&gt;"));
        assert_eq!(page.matches("<script>").count(), 1);
    }

    #[test]
    fn labels_are_escaped() {
        let label = "\u{7384}\u{95a2} <b> {description}";
        let page = page("0", &[CameraInfo { label: label.into(), ..camera("a", "device") }]);
        assert!(page.contains("<bdi>\u{7384}\u{95a2} &lt;b&gt; &#123;description}</bdi>"));
        assert!(page.contains("data-camera=\"a\"") && !page.contains("<b>"));
    }

    #[test]
    fn templates_contain_all_placeholders() {
        for placeholder in [GUEST, STYLE, SCRIPT, CAMERAS] {
            assert_eq!(PAGE.matches(placeholder).count(), 1, "{placeholder}");
        }
        for placeholder in [NAME, LABEL, DESCRIPTION] {
            assert!(CARD.contains(placeholder), "{placeholder}");
        }
    }

    #[test]
    fn the_page_is_small() {
        let page = page("0", &[camera("front", "HD Webcam at /dev/video0")]);
        assert!(page.len() < 60_000, "{}", page.len());
    }
}
