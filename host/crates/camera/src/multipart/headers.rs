//! The headers of a part.

use super::error::MultipartError;
use super::examined::note_examined;
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

    /// Finds where the headers at the start of `bytes` end, behind the empty line. Returns `None` if they are incomplete.
    /// `scanned` is 0 in the first call; with more bytes, the search continues there.
    ///
    /// The headers also end where an image begins at the start of a line, because some servers omit the empty line.
    pub(super) fn find_end(bytes: &[u8], scanned: &mut usize) -> Result<Option<usize>, MultipartError> {
        loop {
            if *scanned > MAX_HEAD_LENGTH {
                return Err(MultipartError::HeadTooLong);
            }
            let rest = bytes.get(*scanned..).unwrap_or_default();
            if rest.starts_with(START_OF_IMAGE) {
                return Ok(Some(*scanned));
            }
            let Some(length) = memchr::memchr(b'\n', rest) else {
                note_examined(rest.len());
                let is_too_long = *scanned + rest.len() > MAX_HEAD_LENGTH;
                return if is_too_long { Err(MultipartError::HeadTooLong) } else { Ok(None) };
            };
            note_examined(length + 1);
            *scanned += length + 1;
            if rest.get(..length).unwrap_or_default().trim_ascii().is_empty() {
                return Ok(Some(*scanned));
            }
        }
    }

    /// Parses complete headers. Lines without a colon are ignored.
    pub(super) fn parse(head: &[u8]) -> Self {
        let fields = head.split(|byte| *byte == b'\n').filter_map(|line| {
            let line = String::from_utf8_lossy(line);
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        });
        Self { fields: fields.collect() }
    }
}
