//! What a token opens: pictures of its cameras, and nothing else.
//!
//! The rule is a list of what is allowed, in one spelling: the guest may understand others, but a token does not need
//! them. So no encoding, double slash or second parameter can lead to the picture of another camera.

use http::{Method, Uri};

use super::token::Token;

/// The first segments of the paths that deliver one camera. `events` is not among them, because its pictures are those
/// of all cameras.
const PAGES: [&str; 8] = ["snapshot", "stream", "video_feed", "clip", "minute", "results", "state", "log"];

/// The first segment of the path that delivers several cameras.
const ALL_PAGE: &str = "pictures";

/// Parameters that select cameras.
const SELECTING: [&str; 2] = ["cameras", "action"];

/// Whether a token permits a request. The URL is that without the token. `/PAGE/NAME` and `/PAGE/NAME.EXTENSION` are
/// permitted to tokens for the camera; without a name, and the paths of mjpg-streamer, to tokens for all cameras.
pub(super) fn permits(token: &Token, method: &Method, uri: &Uri) -> bool {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return false;
    }
    let query = uri.query().unwrap_or_default();
    let Some(path) = uri.path().strip_prefix('/') else { return false };
    let (page, name) = path.split_once('/').map_or((path, None), |(page, name)| (page, Some(name)));
    match name {
        Some(name) => {
            let name = name.split_once('.').map_or(name, |(name, _)| name);
            PAGES.contains(&page)
                && is_name(name)
                && !selects(query)
                && (token.cameras.is_empty() || token.cameras.iter().any(|camera| camera == name))
        }
        None if !token.cameras.is_empty() => false,
        None if path.is_empty() => query.starts_with("action=stream") || query.starts_with("action=snapshot"),
        None => {
            let page = page.split_once('.').map_or(page, |(page, _)| page);
            page == ALL_PAGE || PAGES.contains(&page)
        }
    }
}

/// Whether a text could be the name of a camera.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Whether a query may select a camera. Looks for the name of the parameter anywhere, because guests may split queries
/// differently; and takes encoded characters for a disguise.
fn selects(query: &str) -> bool {
    let query = query.to_ascii_lowercase();
    query.contains('%') || SELECTING.iter().any(|name| query.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(cameras: &[&str], method: Method, url: &str) -> bool {
        let cameras = cameras.iter().map(|name| (*name).to_owned()).collect();
        permits(&Token { id: String::new(), expires: 0, cameras }, &method, &url.parse().unwrap())
    }

    #[test]
    fn a_token_opens_the_pictures_of_its_cameras() {
        for url in ["/snapshot/front", "/snapshot/front.jpg?max_age=0", "/stream/front.mjpg", "/video_feed/front?fps=5"]
        {
            assert!(permitted(&["front", "yard"], Method::GET, url), "{url}");
            assert!(permitted(&[], Method::HEAD, url), "{url}");
            assert!(!permitted(&["porch"], Method::GET, url), "{url}");
            assert!(!permitted(&["front"], Method::POST, url), "{url}");
        }
    }

    #[test]
    fn no_spelling_leads_to_another_camera_or_page() {
        for url in [
            "/",
            "/?action=stream",
            "/?action=stream_1",
            "/snapshot",
            "/snapshot/",
            "/snapshot.jpg",
            "/pictures?cameras=front",
            "/pictures/front",
            "/events",
            "/events/front.jpg",
            "/controls/front",
            "//snapshot/front",
            "/snapshot//front",
            "/snapshot/front/",
            "/snapshot/front/yard",
            "/snapshot/front/../yard",
            "/snapshot/%66ront",
            "/snapshot%2Ffront",
            "/snapshot/Front",
            "/results/front?cameras=yard",
            "/results/front?x=1%26cameras=yard",
            "/results/front?%63ameras=yard",
            "/stream/front?ACTION=stream_1",
            "/stream/front%3Faction=stream_1",
        ] {
            assert!(!permitted(&["front"], Method::GET, url), "{url}");
        }
    }

    #[test]
    fn a_token_for_all_cameras_opens_pictures_and_not_the_page() {
        for url in
            ["/snapshot", "/stream.mjpg", "/video_feed", "/?action=stream_1", "/pictures?cameras=front", "/state"]
        {
            assert!(permitted(&[], Method::GET, url), "{url}");
        }
        for url in ["/", "/?x=1", "/events", "/events/17.jpg", "/controls", "/own", "//snapshot"] {
            assert!(!permitted(&[], Method::GET, url), "{url}");
        }
    }
}
