//! The closing delimiter of a multipart stream that the host ends in place of its guest.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The longest boundary (RFC 2046, section 5.1.1).
const BOUNDARY_LIMIT: usize = 70;

/// What a multipart body has to end with (RFC 2046, section 5.1.1): `--boundary--`, on a line of its own.
pub(super) struct ClosingDelimiter {
    /// `--boundary`
    dash_boundary: Vec<u8>,
    /// The last bytes of the body so far, as many as a delimiter and the end of its line have.
    tail: Vec<u8>,
}

impl ClosingDelimiter {
    /// Of a response with these headers. Returns `None` if it is not multipart, or does not name its boundary.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let mut parameters = content_type.split(';').map(str::trim);
        let is_multipart = parameters.next()?.to_ascii_lowercase().starts_with("multipart/");
        let boundary = parameters.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"'))
        })?;
        let is_valid = (1..=BOUNDARY_LIMIT).contains(&boundary.len());
        (is_multipart && is_valid)
            .then(|| Self { dash_boundary: [b"--", boundary.as_bytes()].concat(), tail: Vec::new() })
    }

    /// Note the next bytes of the body.
    pub(super) fn observe(&mut self, bytes: &[u8]) {
        let limit = self.dash_boundary.len() + b"\r\n".len();
        let (_, last) = bytes.split_at(bytes.len().saturating_sub(limit));
        self.tail.extend_from_slice(last);
        self.tail.drain(..self.tail.len().saturating_sub(limit));
    }

    /// The bytes that end the body properly, after a whole part. Returns `None` if the body is empty.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        if self.tail.is_empty() {
            return None;
        }
        // Where the delimiter of the next part was sent with the part before, there is a new line already.
        let line = self.tail.strip_suffix(b"\r\n").filter(|line| line.ends_with(&self.dash_boundary));
        let before: &[u8] = if line.is_some() { b"" } else { b"\r\n" };
        Some([before, &self.dash_boundary, b"--\r\n"].concat().into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

    use super::*;

    fn closing(content_type: &'static str) -> Option<ClosingDelimiter> {
        ClosingDelimiter::of(&HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]))
    }

    #[test]
    fn the_closing_delimiter_stands_on_a_line_of_its_own() {
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
    fn the_boundary_is_found_as_servers_write_it() {
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
