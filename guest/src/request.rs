//! The body of a request.

use alloc::vec::Vec;

use crate::bindings::wasi::http::types::{IncomingBody, IncomingRequest};
use crate::bindings::wasi::io::streams::StreamError;

/// Why there is no body.
pub enum BodyError {
    /// It is longer than the limit.
    TooLong,
    /// It broke off, or its transfer coding is broken.
    Malformed,
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

/// All of a request's body, if it has no more than `limit` bytes.
pub fn body(request: IncomingRequest, limit: usize) -> Result<Vec<u8>, BodyError> {
    // Fails only if it was taken before.
    let body = request.consume().map_err(|()| BodyError::Malformed)?;
    let bytes = read(&body, limit);
    // There are no trailers that we would want.
    drop(IncomingBody::finish(body));
    bytes
}

fn read(body: &IncomingBody, limit: usize) -> Result<Vec<u8>, BodyError> {
    let stream = body.stream().map_err(|()| BodyError::Malformed)?;
    let mut bytes = Vec::new();
    loop {
        // One more than there may be, to see that it is more.
        let room = (limit + 1).saturating_sub(bytes.len());
        match stream.blocking_read(room as u64) {
            Ok(more) => bytes.extend(more),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(_)) => return Err(BodyError::Malformed),
        }
        if bytes.len() > limit {
            return Err(BodyError::TooLong);
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
}
