//! Headers that stop browsers from misusing a response.

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderValue};

use super::allowed_origins::AllowedOrigins;

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// Other sites do not learn the URLs of this server, which can contain tokens (Referrer Policy).
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const SAMEORIGIN: HeaderValue = HeaderValue::from_static("SAMEORIGIN");

/// The security headers of every response.
#[derive(Clone, Debug, Default)]
pub struct SecurityHeaders {
    /// Which sites may embed pages in a frame. `None` for all.
    frame_policy: Option<FramePolicy>,
}

#[derive(Clone, Debug)]
struct FramePolicy {
    /// `frame-ancestors` (Content Security Policy, Level 3).
    content_security_policy: HeaderValue,
    /// Whether to send `X-Frame-Options` (RFC 7034) for older browsers as well. It cannot name other origins.
    is_same_origin: bool,
}

impl SecurityHeaders {
    /// Lets every site embed this server's pages in a frame, as dashboards do.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets only pages of this server and of the `allowed` origins embed its pages in a frame. For servers whose pages
    /// can change settings: another site could overlay such a page and make its visitors click on it (clickjacking).
    pub fn restrict_framing(allowed: &AllowedOrigins) -> Self {
        if allowed.allows_any() {
            return Self::new();
        }
        let origins = allowed.named().filter_map(|origin| origin.to_str().ok()).map(|origin| format!(" {origin}"));
        let policy = format!("frame-ancestors 'self'{}", origins.collect::<String>());
        // Cannot fail, since origins are printable ASCII.
        let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("frame-ancestors 'self'"));
        let frame_policy = FramePolicy { content_security_policy: policy, is_same_origin: allowed.is_empty() };
        Self { frame_policy: Some(frame_policy) }
    }

    /// Adds the headers to a response. If the guest set a policy too, browsers enforce both.
    pub fn insert(&self, headers: &mut HeaderMap) {
        headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        headers.entry(REFERRER_POLICY).or_insert(SAME_ORIGIN);
        if let Some(policy) = &self.frame_policy
            && !is_image(headers)
        {
            headers.append(CONTENT_SECURITY_POLICY, policy.content_security_policy.clone());
            if policy.is_same_origin {
                headers.insert(X_FRAME_OPTIONS, SAMEORIGIN);
            }
        }
    }
}

/// Whether a response is an image or a stream of images, which contain nothing to click on.
fn is_image(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    content_type.starts_with(b"image/") || content_type.starts_with(b"multipart/x-mixed-replace")
}
