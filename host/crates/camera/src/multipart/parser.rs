//! Puts the parts of a stream together.

use bytes::{Bytes, BytesMut};

use super::delimiter::{Delimiter, END_OF_IMAGE, Found, Search};
use super::error::MultipartError;
use super::examined::note_examined;
use super::headers::PartHeaders;
use super::limits::{MAX_PART_LENGTH, MAX_SKIPPED};
use crate::jpeg::{self, Options, START_OF_IMAGE};

/// The most delimiters inside the announced length of a part that may belong to its image. More mean that the image was
/// cut off, and each costs a search of the whole part.
const MAX_DELIMITERS_IN_IMAGE: u32 = 8;

/// The most memory to reserve in advance because a part announces its length, in bytes.
const MAX_RESERVE: usize = 4 << 20;

/// A part that is not a whole image so far is checked again when it has grown by this fraction of its length, so that
/// a sender of tiny pieces does not cause a check for each.
const RECHECK_FRACTION: usize = 16;

/// The most bytes between an image and the end of the delimiter after it. Servers send a line break and the delimiter,
/// of at most 76 bytes.
const MAX_PADDING: usize = 1 << 10;

/// A part of a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Part {
    /// The headers.
    pub headers: PartHeaders,
    /// The body. Usually a JPEG image, possibly with padding; damaged or cut off if the sender is broken.
    pub body: Bytes,
}

/// Reads a multipart stream. [`push`](Self::push) bytes as they arrive, then call [`next_part`](Self::next_part) until
/// it returns `None`.
#[derive(Debug)]
pub struct Parser {
    /// The bytes that no returned part contains.
    buffer: BytesMut,
    /// `None` until it was declared or learned.
    delimiter: Option<Delimiter>,
    state: State,
    /// `Content-Length` was wrong once and is ignored from then on.
    ignores_lengths: bool,
}

#[derive(Debug)]
enum State {
    /// Before the first part.
    Preamble,
    /// After a part that ended before its delimiter. So many bytes were skipped.
    Between { skipped: usize },
    /// At the headers of a part, of which so many bytes were searched for their end.
    Head { scanned: usize },
    /// At the body of a part.
    Body(Body),
    /// After the closing delimiter.
    Ended,
}

/// The body that is being read.
#[derive(Debug)]
struct Body {
    headers: PartHeaders,
    /// The length that the part announces, as far as it is credible.
    length: Option<usize>,
    /// Where the search for the next delimiter starts.
    position: usize,
    /// The first delimiter inside the announced length.
    first_delimiter: Option<Found>,
    /// The number of delimiters inside the announced length.
    delimiters: u32,
    /// The length of the body when it was last found not to be a whole image.
    checked: usize,
    /// Where the image within the announced length ends, once that many bytes were there. `None` within if there is no
    /// whole one.
    image_end: Option<Option<usize>>,
}

/// Where a body ends, and where the next state starts.
struct End {
    length: usize,
    /// The delimiter after the body, unless the body ended before it.
    delimiter: Option<Found>,
}

impl Parser {
    /// Reads a stream with this boundary, if it is known. It need not be right.
    pub fn new(boundary: Option<&str>) -> Self {
        let delimiter = boundary.and_then(|boundary| Delimiter::new(boundary.as_bytes()));
        Self { buffer: BytesMut::new(), delimiter, state: State::Preamble, ignores_lengths: false }
    }

    /// Adds bytes. At most [`MAX_PART_LENGTH`] and the bytes of one call are held.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the stream was closed by its last delimiter.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Returns the next complete part, or `None` if more bytes are needed or the stream has ended.
    ///
    /// # Errors
    ///
    /// If the bytes are not a multipart stream. Every later call then fails in the same way, or returns `None`.
    pub fn next_part(&mut self) -> Result<Option<Part>, MultipartError> {
        loop {
            let is_ready = match &mut self.state {
                State::Ended => {
                    self.buffer.clear();
                    return Ok(None);
                }
                State::Preamble => self.read_preamble()?,
                State::Between { skipped } => {
                    let skipped = *skipped;
                    self.skip_to_delimiter(skipped)?
                }
                State::Head { scanned } => {
                    let scanned = *scanned;
                    self.read_head(scanned)?
                }
                State::Body(body) => {
                    let end = body.find_end(&self.buffer, self.delimiter.as_ref(), &mut self.ignores_lengths)?;
                    let Some(end) = end else { return Ok(None) };
                    match self.take_part(end) {
                        Some(part) => return Ok(Some(part)),
                        None => true,
                    }
                }
            };
            if !is_ready {
                return Ok(None);
            }
        }
    }

    /// Finds the first part. Returns whether it was found.
    fn read_preamble(&mut self) -> Result<bool, MultipartError> {
        // Nothing but line breaks so far.
        let start = self.buffer.len() - self.buffer.trim_ascii_start().len();
        let body = self.buffer.get(start..).unwrap_or_default();
        // The stream starts with a part instead of a delimiter.
        const HEADER: &[u8] = b"content-";
        if body.starts_with(START_OF_IMAGE)
            || body.get(..HEADER.len()).is_some_and(|start| start.eq_ignore_ascii_case(HEADER))
        {
            let _ = self.buffer.split_to(start);
            self.state = State::Head { scanned: 0 };
            return Ok(true);
        }
        if let Some(delimiter) = &self.delimiter
            && let Search::Found(found) = delimiter.find(&self.buffer, 0)
        {
            self.continue_after(found);
            return Ok(true);
        }
        let is_undeclared = self.delimiter.is_none();
        if let Some(learned) = Delimiter::learn(&self.buffer, is_undeclared)
            && let Search::Found(found) = learned.find(&self.buffer, 0)
        {
            self.delimiter = Some(learned);
            self.continue_after(found);
            return Ok(true);
        }
        if self.buffer.len() > MAX_SKIPPED { Err(MultipartError::NoDelimiter) } else { Ok(false) }
    }

    /// Skips to the delimiter after a part. Returns whether it was found.
    fn skip_to_delimiter(&mut self, skipped: usize) -> Result<bool, MultipartError> {
        if self.delimiter.is_none() {
            // The stream began with a part. Its delimiter is now first.
            self.delimiter = Delimiter::learn(&self.buffer, true);
        }
        let Some(delimiter) = &self.delimiter else {
            return if self.buffer.len() > MAX_SKIPPED { Err(MultipartError::NoDelimiter) } else { Ok(false) };
        };
        match delimiter.find(&self.buffer, 0) {
            Search::Found(found) => {
                self.continue_after(found);
                Ok(true)
            }
            Search::NotFound(position) => {
                // Keeps the byte before it, which tells whether a line starts there.
                let passed = position.saturating_sub(1);
                let _ = self.buffer.split_to(passed);
                let skipped = skipped + passed;
                self.state = State::Between { skipped };
                if skipped > MAX_SKIPPED { Err(MultipartError::NoDelimiter) } else { Ok(false) }
            }
        }
    }

    fn continue_after(&mut self, found: Found) {
        let _ = self.buffer.split_to(found.end);
        self.state = if found.is_closing { State::Ended } else { State::Head { scanned: 0 } };
    }

    /// Reads the headers of a part, whose first bytes were scanned before. Returns whether they are complete.
    fn read_head(&mut self, mut scanned: usize) -> Result<bool, MultipartError> {
        // The closing delimiter may follow another one.
        if let Some(delimiter) = &self.delimiter
            && self.buffer.starts_with(b"-")
        {
            match delimiter.find(&self.buffer, 0) {
                Search::Found(found) if found.start == 0 => {
                    self.continue_after(found);
                    return Ok(true);
                }
                _ => {}
            }
        }
        let Some(end) = PartHeaders::find_end(&self.buffer, &mut scanned)? else {
            self.state = State::Head { scanned };
            return Ok(false);
        };
        let headers = PartHeaders::parse(&self.buffer.split_to(end));
        let announced = headers.content_length().filter(|length| *length <= MAX_PART_LENGTH);
        let length = announced.filter(|_| !self.ignores_lengths);
        if let Some(length) = length.filter(|length| *length <= MAX_RESERVE) {
            self.buffer.reserve(length.saturating_sub(self.buffer.len()));
        }
        self.state = State::Body(Body {
            headers,
            length,
            position: 0,
            first_delimiter: None,
            delimiters: 0,
            checked: 0,
            image_end: None,
        });
        Ok(true)
    }

    /// Takes the part that ends here out of the buffer. Returns `None` for the empty part that may precede the closing
    /// delimiter.
    fn take_part(&mut self, End { length, delimiter }: End) -> Option<Part> {
        let next = match delimiter {
            Some(Found { is_closing: true, .. }) => State::Ended,
            Some(_) => State::Head { scanned: 0 },
            None => State::Between { skipped: 0 },
        };
        let State::Body(Body { headers, .. }) = std::mem::replace(&mut self.state, next) else { return None };
        let body = self.buffer.split_to(length.min(self.buffer.len())).freeze();
        if let Some(found) = delimiter {
            let _ = self.buffer.split_to(found.end.saturating_sub(length).min(self.buffer.len()));
        }
        let is_padding = self.has_ended() && body.trim_ascii().is_empty();
        (!is_padding).then_some(Part { headers, body })
    }
}

impl Body {
    /// Finds where the body at the start of `buffer` ends. Returns `None` if more bytes are needed.
    fn find_end(
        &mut self,
        buffer: &[u8],
        delimiter: Option<&Delimiter>,
        ignores_lengths: &mut bool,
    ) -> Result<Option<End>, MultipartError> {
        if let Some(length) = self.length {
            let end = match buffer.get(..length) {
                Some(body) => self.end_at_length(body, buffer, delimiter),
                None => self.end_before_length(buffer, delimiter),
            };
            match end {
                AtLength::End(end) => return Ok(Some(end)),
                AtLength::TooLong(end) => {
                    *ignores_lengths = true;
                    return Ok(Some(end));
                }
                AtLength::Incomplete => return Ok(None),
                AtLength::TooShort => {
                    self.length = None;
                    *ignores_lengths = true;
                }
            }
        }
        if let Some(delimiter) = delimiter {
            match delimiter.find(buffer, self.position) {
                Search::Found(found) => return Ok(Some(End::before(found, buffer))),
                Search::NotFound(position) => self.position = position,
            }
        }
        // Without a delimiter, only the structure of the image shows where the part ends.
        let last = buffer.get(buffer.len().saturating_sub(MAX_PADDING)..).unwrap_or_default();
        let may_be_whole = delimiter.is_none() || last.trim_ascii_end().ends_with(END_OF_IMAGE);
        if may_be_whole && buffer.len() >= self.checked + self.checked / RECHECK_FRACTION {
            if let Some(end) = end_of_image(buffer) {
                let length = if delimiter.is_none() { end } else { buffer.len() };
                return Ok(Some(End { length, delimiter: None }));
            }
            self.checked = buffer.len();
        }
        if buffer.len() > MAX_PART_LENGTH { Err(MultipartError::PartTooLong) } else { Ok(None) }
    }

    /// Decides about a body of which all announced bytes are there.
    fn end_at_length(&mut self, body: &[u8], buffer: &[u8], delimiter: Option<&Delimiter>) -> AtLength {
        let length = body.len();
        let image_end = *self.image_end.get_or_insert_with(|| end_of_image(body));
        let Some(delimiter) = delimiter else {
            return AtLength::End(End { length, delimiter: None });
        };
        let search_from = image_end.unwrap_or(length).saturating_sub(2);
        match (image_end, delimiter.find(buffer, search_from)) {
            // The image ends within the announced length, but another part has begun there.
            (Some(_), Search::Found(found)) if found.start < length => AtLength::TooLong(End::before(found, buffer)),
            // A delimiter may have begun there.
            (Some(end), _) if body.get(end..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b"-")) => {
                AtLength::End(End { length: end, delimiter: None })
            }
            (Some(_), _) => AtLength::End(End { length, delimiter: None }),
            // Not an image, or a damaged one.
            (None, _) if self.first_delimiter.is_some() => self.end_at_first_delimiter(buffer),
            (None, Search::Found(found)) if is_line_break(buffer.get(length..found.start)) => {
                AtLength::End(End { length, delimiter: Some(found) })
            }
            (None, Search::NotFound(_)) if is_start_of_delimiter(buffer.get(length..)) => AtLength::Incomplete,
            (None, _) => AtLength::TooShort,
        }
    }

    /// Decides about a body of which announced bytes are missing: a delimiter that follows a whole image ends it.
    fn end_before_length(&mut self, buffer: &[u8], delimiter: Option<&Delimiter>) -> AtLength {
        let Some(delimiter) = delimiter else { return AtLength::Incomplete };
        loop {
            match delimiter.find(buffer, self.position) {
                Search::NotFound(position) => {
                    self.position = position;
                    return AtLength::Incomplete;
                }
                Search::Found(found) => {
                    if buffer.get(..found.start).is_some_and(|body| end_of_image(body).is_some()) {
                        return AtLength::TooLong(End::before(found, buffer));
                    }
                    self.position = found.end;
                    self.first_delimiter.get_or_insert(found);
                    self.delimiters += 1;
                    if self.delimiters > MAX_DELIMITERS_IN_IMAGE {
                        return self.end_at_first_delimiter(buffer);
                    }
                }
            }
        }
    }

    fn end_at_first_delimiter(&self, buffer: &[u8]) -> AtLength {
        self.first_delimiter.map_or(AtLength::TooShort, |found| AtLength::End(End::before(found, buffer)))
    }
}

/// A decision about a body that announces its length.
enum AtLength {
    End(End),
    /// The body ends here, before the announced length.
    TooLong(End),
    /// More bytes are needed.
    Incomplete,
    /// The body continues after the announced length.
    TooShort,
}

impl End {
    /// The body ends before this delimiter and the line break before it.
    fn before(found: Found, buffer: &[u8]) -> Self {
        let body = buffer.get(..found.start).unwrap_or_default();
        let body = body.strip_suffix(b"\n").unwrap_or(body);
        let body = body.strip_suffix(b"\r").unwrap_or(body);
        Self { length: body.len(), delimiter: Some(found) }
    }
}

/// Returns where the JPEG image in a body ends, or `None` if there is no whole one.
fn end_of_image(body: &[u8]) -> Option<usize> {
    note_examined(body.len());
    let (image, info) = jpeg::find_image(body, Options::default()).ok()?;
    Some(body.len() - image.len() + info.length)
}

fn is_line_break(bytes: Option<&[u8]>) -> bool {
    bytes.is_some_and(|bytes| bytes.trim_ascii().is_empty())
}

/// Whether a delimiter could begin here.
fn is_start_of_delimiter(bytes: Option<&[u8]>) -> bool {
    bytes.is_none_or(|bytes| {
        let rest = bytes.trim_ascii_start();
        bytes.len() < MAX_PADDING && (rest.is_empty() || rest.starts_with(b"-"))
    })
}
