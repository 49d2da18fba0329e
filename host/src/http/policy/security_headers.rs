//! Headers that keep browsers from making something else of an answer than it is.

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderValue};

use super::allowed_origins::AllowedOrigins;

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const SAMEORIGIN: HeaderValue = HeaderValue::from_static("SAMEORIGIN");

/// The headers that every answer gets.
#[derive(Clone, Debug, Default)]
pub struct SecurityHeaders {
    /// Who may show pages in a frame; `None` for everybody.
    framing: Option<Framing>,
}

#[derive(Clone, Debug)]
struct Framing {
    /// Content Security Policy, Level 3, `frame-ancestors`.
    policy: HeaderValue,
    /// Whether only pages of this server may, which older browsers understand too (RFC 7034).
    is_own_only: bool,
}

impl SecurityHeaders {
    /// Everybody may show this server's pages in a frame, as dashboards do.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only this server and these origins may: a page that can change something could be shown under another one, so that
    /// whoever clicks there sets a camera's controls (clickjacking).
    pub fn restrict_framing(allowed: &AllowedOrigins) -> Self {
        if allowed.is_any() {
            return Self::new();
        }
        let listed = allowed.listed().filter_map(|origin| origin.to_str().ok()).map(|origin| format!(" {origin}"));
        let policy = format!("frame-ancestors 'self'{}", listed.collect::<String>());
        // Origins are printable ASCII.
        let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("frame-ancestors 'self'"));
        Self { framing: Some(Framing { policy, is_own_only: allowed.is_empty() }) }
    }

    /// Put the headers into an answer. A policy of the guest's is kept beside ours; browsers apply both.
    pub fn insert(&self, headers: &mut HeaderMap) {
        headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        if let Some(framing) = &self.framing
            && !is_picture(headers)
        {
            headers.append(CONTENT_SECURITY_POLICY, framing.policy.clone());
            if framing.is_own_only {
                headers.insert(X_FRAME_OPTIONS, SAMEORIGIN);
            }
        }
    }
}

/// Whether an answer is a picture or a stream of pictures, which offers nothing to click on.
fn is_picture(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.starts_with(b"image/") || kind.starts_with(b"multipart/x-mixed-replace")
}
