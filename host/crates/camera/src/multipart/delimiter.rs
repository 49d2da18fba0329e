//! Delimiters: the lines between the parts.

use memchr::memmem::Finder;

use super::examined::note_examined;

/// The two dashes that precede a boundary in the body.
const DASHES: &[u8] = b"--";

/// The longest line that can be a delimiter, in bytes. RFC 2046 limits boundaries to 70.
const MAX_LINE_LENGTH: usize = 256;

/// The last two bytes of a JPEG image, which some servers do not separate from the delimiter.
pub(super) const END_OF_IMAGE: &[u8] = &[0xFF, 0xD9];

/// Returns the boundary in the value of a `Content-Type` header, or `None` if there is none.
pub fn declared_boundary(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    Some(value.trim().trim_matches('"'))
}

/// A delimiter found in a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Found {
    /// Where its first dash is.
    pub(super) start: usize,
    /// Where the next line starts.
    pub(super) end: usize,
    /// Whether it closes the body.
    pub(super) is_closing: bool,
}

/// The result of a search.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Search {
    /// A delimiter.
    Found(Found),
    /// None so far. Search again from this position when there are more bytes.
    NotFound(usize),
}

/// Finds the delimiters of one body.
#[derive(Clone, Debug)]
pub(super) struct Delimiter {
    finder: Finder<'static>,
}

impl Delimiter {
    /// Creates the delimiter for a boundary with or without leading dashes. Returns `None` if nothing else is in it, or
    /// if it is too long.
    pub(super) fn new(boundary: &[u8]) -> Option<Self> {
        let dashes = boundary.iter().take_while(|byte| **byte == b'-').count();
        let core = boundary.get(dashes..)?.trim_ascii();
        if core.is_empty() || core.len() > MAX_LINE_LENGTH {
            return None;
        }
        // Matches any number of leading dashes from two on.
        Some(Self { finder: Finder::new(&[DASHES, core].concat()).into_owned() })
    }

    /// Learns the delimiter from the first line of a body, or from the first line that starts with dashes if
    /// `anywhere`. Returns `None` if there is no such line so far.
    pub(super) fn learn(body: &[u8], anywhere: bool) -> Option<Self> {
        let mut rest = body.trim_ascii_start();
        loop {
            let length = memchr::memchr(b'\n', rest)?;
            let line = rest.get(..length)?;
            if line.starts_with(DASHES)
                && let Some(delimiter) = Self::new(line)
            {
                return Some(delimiter);
            }
            if !anywhere {
                return None;
            }
            rest = rest.get(length + 1..)?;
        }
    }

    /// Finds the first delimiter at or after `from` that is at the start of a line or directly after an image.
    pub(super) fn find(&self, body: &[u8], from: usize) -> Search {
        note_examined(body.len().saturating_sub(from));
        let mut position = from;
        while let Some(offset) = self.finder.find(body.get(position..).unwrap_or_default()) {
            let found = position + offset;
            let before = body.get(..found).unwrap_or_default();
            let dashes = before.iter().rev().take(MAX_LINE_LENGTH).take_while(|byte| **byte == b'-').count();
            let start = found - dashes;
            let line_before = body.get(..start).unwrap_or_default();
            let after = found + self.finder.needle().len();
            if matches!(line_before.last(), None | Some(b'\n' | b'\r')) || line_before.ends_with(END_OF_IMAGE) {
                match rest_of_line(body.get(after..).unwrap_or_default()) {
                    Rest::Line { length, is_closing } => {
                        return Search::Found(Found { start, end: after + length, is_closing });
                    }
                    Rest::Incomplete => return Search::NotFound(found),
                    Rest::Other => {}
                }
            }
            position = after;
        }
        // A delimiter may have begun in the last bytes.
        Search::NotFound(body.len().saturating_sub(self.finder.needle().len() - 1).max(position))
    }
}

/// What follows a boundary.
enum Rest {
    /// The end of the line. `length` includes the line break.
    Line { length: usize, is_closing: bool },
    /// Too few bytes to tell.
    Incomplete,
    /// Anything else: the text is not a delimiter.
    Other,
}

fn rest_of_line(bytes: &[u8]) -> Rest {
    // Nothing that follows a closing delimiter matters.
    if bytes.starts_with(DASHES) {
        return Rest::Line { length: DASHES.len(), is_closing: true };
    }
    match memchr::memchr(b'\n', bytes.get(..MAX_LINE_LENGTH.min(bytes.len())).unwrap_or_default()) {
        Some(length) if bytes.get(..length).unwrap_or_default().trim_ascii().is_empty() => {
            Rest::Line { length: length + 1, is_closing: false }
        }
        Some(_) => Rest::Other,
        None if bytes.len() < MAX_LINE_LENGTH && (bytes.trim_ascii().is_empty() || bytes == b"-") => Rest::Incomplete,
        None => Rest::Other,
    }
}
