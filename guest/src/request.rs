//! The headers and the body of a request.

use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::wasi::http::types::{IncomingBody, IncomingRequest};
use crate::bindings::wasi::io::streams::StreamError;

/// Why a body could not be read.
pub enum BodyError {
    /// It is longer than the limit.
    TooLong,
    /// It is incomplete, or its chunked encoding is invalid.
    Malformed,
}

/// Returns the value of a header, several values separated by commas. Returns `None` without the header, or if the value
/// is not UTF-8.
pub fn header(request: &IncomingRequest, name: &str) -> Option<String> {
    let values = request.headers().get(name);
    if values.is_empty() { None } else { String::from_utf8(values.join(&b", "[..])).ok() }
}

/// Whether Content-Length announces a body of more than `limit` bytes.
pub fn announces_more_than(request: &IncomingRequest, limit: usize) -> bool {
    let length = request.headers().get("content-length").into_iter().next();
    length.and_then(|length| parse_length(&length)).is_some_and(|length| length > limit as u64)
}

/// Parses a Content-Length (RFC 9110, section 8.6). A number that is too large becomes the maximum.
fn parse_length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(core::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX))
}

/// Reads the whole body if it has at most `limit` bytes. Blocks until the client has sent it.
pub fn read_body(request: IncomingRequest, limit: usize) -> Result<Vec<u8>, BodyError> {
    // Fails only if the body was already taken.
    let body = request.consume().map_err(|()| BodyError::Malformed)?;
    let bytes = read_stream(&body, limit);
    // Ignore the trailers.
    drop(IncomingBody::finish(body));
    bytes
}

fn read_stream(body: &IncomingBody, limit: usize) -> Result<Vec<u8>, BodyError> {
    let stream = body.stream().map_err(|()| BodyError::Malformed)?;
    let mut bytes = Vec::new();
    loop {
        // One byte more than allowed, to detect a body that is too long.
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
    fn content_length_is_a_decimal_integer() {
        assert_eq!(parse_length(b" 17 "), Some(17));
        assert_eq!(parse_length(b"99999999999999999999999"), Some(u64::MAX));
        for wrong in [&b""[..], b"-1", b"+1", b"1.5", b"0x10", b"1, 1"] {
            assert_eq!(parse_length(wrong), None, "{wrong:?}");
        }
    }
}
