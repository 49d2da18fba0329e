//! What comes with a request beside its path.

use alloc::vec::Vec;

use crate::bindings::wasi::http::types::{IncomingBody, IncomingRequest};
use crate::bindings::wasi::io::streams::StreamError;

/// Whether a browser sent this request for a page of another site than this (Fetch Standard, `Origin`). Programs send
/// no origin.
pub fn is_of_another_site(request: &IncomingRequest) -> bool {
    let origin = request.headers().get("origin");
    let authority = request.authority().unwrap_or_default();
    origin.first().is_some_and(|origin| !is_origin_of(origin, &authority))
}

/// Whether an origin, `SCHEME://AUTHORITY` or `null`, is of this authority. Only browsers' own words are compared, so
/// they are written alike.
fn is_origin_of(origin: &[u8], authority: &str) -> bool {
    let rest = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    rest.is_some_and(|rest| rest.eq_ignore_ascii_case(authority.as_bytes()))
}

/// Whether a request says that its body is longer than `limit` bytes, before any of it is read.
pub fn is_longer(request: &IncomingRequest, limit: usize) -> bool {
    let length = request.headers().get("content-length").into_iter().next();
    length.and_then(|length| parse_length(&length)).is_some_and(|length| length > limit as u64)
}

/// A number of bytes (RFC 9110, section 8.6). `None` if it is anything else; one that is too large is the largest.
fn parse_length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(core::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX))
}

/// All of a request's body; none if it is longer than `limit` bytes, or the client is gone.
pub fn body(request: IncomingRequest, limit: usize) -> Option<Vec<u8>> {
    let body = request.consume().ok()?;
    let bytes = read(&body, limit);
    // There are no trailers that we would want.
    drop(IncomingBody::finish(body));
    bytes
}

fn read(body: &IncomingBody, limit: usize) -> Option<Vec<u8>> {
    let stream = body.stream().ok()?;
    let mut bytes = Vec::new();
    loop {
        // One more than there may be, to see that it is more.
        let room = (limit + 1).saturating_sub(bytes.len());
        match stream.blocking_read(room as u64) {
            Ok(more) => bytes.extend(more),
            Err(StreamError::Closed) => return Some(bytes),
            Err(StreamError::LastOperationFailed(_)) => return None,
        }
        if bytes.len() > limit {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_whole_numbers() {
        assert_eq!(parse_length(b" 17 "), Some(17));
        assert_eq!(parse_length(b"99999999999999999999999"), Some(u64::MAX));
        for wrong in [&b""[..], b"-1", b"+1", b"1.5", b"0x10", b"1, 1"] {
            assert_eq!(parse_length(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_origin_is_of_the_authority_that_it_names() {
        assert!(is_origin_of(b"http://127.0.0.1:5000", "127.0.0.1:5000"));
        assert!(is_origin_of(b"https://Cam.example", "cam.example"));
        for other in
            [&b"null"[..], b"", b"http://evil.example", b"http://127.0.0.1", b"http://127.0.0.1:5000.evil.example"]
        {
            assert!(!is_origin_of(other, "127.0.0.1:5000"), "{other:?}");
        }
    }
}
