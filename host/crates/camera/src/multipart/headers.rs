//! The headers of a part.

use super::error::MultipartError;
use super::limits::MAX_HEAD_LENGTH;
use crate::jpeg::START_OF_IMAGE;

/// The headers of a part.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PartHeaders {
    fields: Vec<(String, String)>,
}

impl PartHeaders {
    /// Returns the value of the first header with this name, in any case, without surrounding spaces. Bytes that are
    /// not UTF-8 are replaced.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns `Content-Length`, or `None` if it is missing or not a number.
    pub(super) fn content_length(&self) -> Option<usize> {
        self.get("content-length")?.parse().ok()
    }

    /// Parses the headers at the start of `bytes`. Returns them with their length including the empty line, or `None`
    /// if they are incomplete.
    ///
    /// The headers also end where an image begins at the start of a line, because some servers omit the empty line.
    /// Lines without a colon are ignored.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, MultipartError> {
        let mut headers = Self::default();
        let mut position = 0;
        loop {
            if position > MAX_HEAD_LENGTH {
                return Err(MultipartError::HeadTooLong);
            }
            let rest = bytes.get(position..).unwrap_or_default();
            if rest.starts_with(START_OF_IMAGE) {
                return Ok(Some((headers, position)));
            }
            let Some(length) = memchr::memchr(b'\n', rest) else {
                let is_too_long = position + rest.len() > MAX_HEAD_LENGTH;
                return if is_too_long { Err(MultipartError::HeadTooLong) } else { Ok(None) };
            };
            let line = rest.get(..length).unwrap_or_default();
            position += length + 1;
            if line.trim_ascii().is_empty() {
                return Ok(Some((headers, position)));
            }
            let line = String::from_utf8_lossy(line);
            if let Some((name, value)) = line.split_once(':') {
                headers.fields.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
    }
}
