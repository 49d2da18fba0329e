//! The closing delimiter of a multipart stream that the host ends instead of the guest.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The longest boundary, in bytes (RFC 2046, section 5.1.1).
const MAX_BOUNDARY_LENGTH: usize = 70;

/// The delimiter that must end a multipart body: `--boundary--`, on a line of its own (RFC 2046, section 5.1.1).
pub(super) struct ClosingDelimiter {
    /// `--boundary`
    dash_boundary: Vec<u8>,
    /// The last bytes of the body so far, up to the length of a delimiter with its line break.
    tail: Vec<u8>,
}

impl ClosingDelimiter {
    /// Reads the boundary from the headers of a response. Returns `None` if the response is not multipart or its
    /// boundary is missing or invalid.
    pub(super) fn for_response(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let mut parameters = content_type.split(';').map(str::trim);
        let is_multipart = parameters.next()?.to_ascii_lowercase().starts_with("multipart/");
        let boundary = parameters.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"'))
        })?;
        let is_valid = (1..=MAX_BOUNDARY_LENGTH).contains(&boundary.len());
        (is_multipart && is_valid)
            .then(|| Self { dash_boundary: [b"--", boundary.as_bytes()].concat(), tail: Vec::new() })
    }

    /// Observes the next bytes of the body.
    pub(super) fn observe(&mut self, bytes: &[u8]) {
        let limit = self.dash_boundary.len() + b"\r\n".len();
        let (_, last) = bytes.split_at(bytes.len().saturating_sub(limit));
        self.tail.extend_from_slice(last);
        self.tail.drain(..self.tail.len().saturating_sub(limit));
    }

    /// The bytes that end the body after a whole part. Returns `None` if the body is empty so far.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        if self.tail.is_empty() {
            return None;
        }
        // Some guests send the delimiter of the next part together with the previous part. It only needs to be
        // extended.
        let delimiter = self.tail.strip_suffix(b"\r\n").filter(|tail| tail.ends_with(&self.dash_boundary));
        let line_break: &[u8] = if delimiter.is_some() { b"" } else { b"\r\n" };
        Some([line_break, &self.dash_boundary, b"--\r\n"].concat().into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn closing(content_type: &'static str) -> Option<ClosingDelimiter> {
        ClosingDelimiter::for_response(&HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]))
    }

    #[test]
    fn the_closing_delimiter_is_on_a_line_of_its_own() {
        let mut closing = closing("multipart/x-mixed-replace; boundary=frame").unwrap();
        assert_eq!(closing.bytes(), None);
        closing.observe(b"--frame\r\nContent-Type: image/jpeg\r\n\r\nimage");
        assert_eq!(closing.bytes().unwrap(), "\r\n--frame--\r\n");
        closing.observe(b"\r\n--fra");
        assert_eq!(closing.bytes().unwrap(), "\r\n--frame--\r\n");
        closing.observe(b"me\r\n");
        assert_eq!(closing.bytes().unwrap(), "--frame--\r\n");
    }

    #[test]
    fn boundaries_are_found_in_every_common_spelling() {
        for content_type in
            ["multipart/x-mixed-replace;boundary=frame", "Multipart/Mixed; charset=utf-8; Boundary=\"frame\""]
        {
            assert_eq!(closing(content_type).unwrap().dash_boundary, b"--frame", "{content_type}");
        }
        for content_type in
            ["text/event-stream", "text/plain; boundary=frame", "multipart/mixed", "multipart/x; boundary="]
        {
            assert!(closing(content_type).is_none(), "{content_type}");
        }
    }
}
