//! A strict reader of `multipart/x-mixed-replace` streams, the reference for all checks.

use std::time::{Duration, Instant};

use crate::http::{BodyReader, Head, Request, header, parse_header, request};
use crate::jpeg;
use crate::target::Target;

/// The largest part accepted, in bytes. A larger Content-Length is considered wrong.
const MAX_PART_LENGTH: usize = 64 * 1024 * 1024;

/// One part of a stream.
#[derive(Debug)]
pub struct Part {
    /// The part's headers.
    pub headers: Vec<(String, String)>,
    /// The part's body.
    pub jpeg: Vec<u8>,
    /// Width and height, in pixels.
    pub size: (u16, u16),
    /// When the last byte of the body was read.
    pub arrived: Instant,
    /// The delay between the last byte of the body and the end of the delimiter after it.
    pub delimiter_delay: Duration,
}

impl Part {
    /// Returns `X-Timestamp`, in seconds by the server's clock, if the part has one.
    ///
    /// # Errors
    ///
    /// If the value is not a number.
    pub fn timestamp(&self) -> Result<Option<f64>, String> {
        let Some(text) = header(&self.headers, "x-timestamp") else { return Ok(None) };
        text.parse().map(Some).map_err(|_| format!("X-Timestamp is {text:?}, not a number of seconds"))
    }
}

/// Reads a stream strictly.
#[derive(Debug)]
pub struct Reader {
    /// The response's head.
    pub head: Head,
    /// The boundary, without the leading dashes.
    pub boundary: String,
    input: BodyReader,
    /// Whether the boundary that opens the body was read.
    is_opened: bool,
}

impl Reader {
    /// Requests a stream. Everything that is read from it must arrive within `timeout`.
    ///
    /// # Errors
    ///
    /// If the response is not a stream.
    pub fn open(target: &Target, path: &str, timeout: Duration) -> Result<Self, String> {
        Self::open_with(target, &Request::get(path), timeout)
    }

    /// Requests a stream with any request, as [`Reader::open`].
    ///
    /// # Errors
    ///
    /// If the response is not a stream.
    pub fn open_with(target: &Target, stream_request: &Request<'_>, timeout: Duration) -> Result<Self, String> {
        let response = request(&target.address, stream_request, timeout)?;
        let boundary = boundary(&response.head).map_err(|error| format!("{}: {error}", stream_request.path))?;
        Ok(Self { head: response.head, boundary, input: BodyReader::new(response.body), is_opened: false })
    }

    /// Limits the rate at which the stream is read.
    #[must_use]
    pub fn with_rate_limit(mut self, bytes_per_second: f64) -> Self {
        self.input.limit_rate(bytes_per_second);
        self
    }

    /// Reads the next part and the delimiter after it.
    ///
    /// # Errors
    ///
    /// At the first deviation from the format.
    pub fn next_part(&mut self) -> Result<Part, String> {
        let headers = self.part_headers()?;
        match header(&headers, "content-type") {
            Some(value) if value.eq_ignore_ascii_case("image/jpeg") => {}
            other => return Err(format!("a part's Content-Type is {other:?}, not image/jpeg")),
        }
        let length = header(&headers, "content-length").ok_or("a part has no Content-Length")?;
        let length: usize = length.parse().map_err(|_| format!("a part's Content-Length is {length:?}"))?;
        if length > MAX_PART_LENGTH {
            return Err(format!("a part's Content-Length is {length}"));
        }
        let jpeg = self.input.exact(length)?;
        let arrived = Instant::now();
        let size = jpeg::size(&jpeg).map_err(|error| format!("a part with Content-Length {length}: {error}"))?;
        self.read_delimiter()?;
        Ok(Part { headers, jpeg, size, arrived, delimiter_delay: arrived.elapsed() })
    }

    /// Reads the headers of the next part, preceded by the boundary at the start of the body.
    ///
    /// # Errors
    ///
    /// At the first deviation from the format.
    pub fn part_headers(&mut self) -> Result<Vec<(String, String)>, String> {
        if !self.is_opened {
            self.expect(&format!("--{}\r\n", self.boundary), "at the start of the body")?;
            self.is_opened = true;
        }
        let mut headers = Vec::new();
        loop {
            let line = self.input.line()?;
            let line = String::from_utf8_lossy(&line);
            let Some(text) = line.strip_suffix("\r\n") else {
                return Err(format!("a part's header does not end with CRLF: {line:?}"));
            };
            if text.is_empty() {
                return Ok(headers);
            }
            headers.push(parse_header(text)?);
        }
    }

    /// Reads a part without Content-Length, up to and including the delimiter. Returns the bytes before the delimiter.
    ///
    /// # Errors
    ///
    /// If no delimiter comes.
    pub fn read_until_delimiter(&mut self) -> Result<Vec<u8>, String> {
        let delimiter = format!("\r\n--{}\r\n", self.boundary);
        let mut bytes = Vec::new();
        while !bytes.ends_with(delimiter.as_bytes()) {
            bytes.push(self.input.byte()?);
            if bytes.len() > MAX_PART_LENGTH {
                return Err(format!("no {delimiter:?} within {MAX_PART_LENGTH} bytes"));
            }
        }
        bytes.truncate(bytes.len() - delimiter.len());
        Ok(bytes)
    }

    fn read_delimiter(&mut self) -> Result<(), String> {
        self.expect("\r\n", "after an image")?;
        self.expect(&format!("--{}\r\n", self.boundary), "after an image")
    }

    fn expect(&mut self, expected: &str, position: &str) -> Result<(), String> {
        let found = self.input.exact(expected.len())?;
        if found == expected.as_bytes() {
            return Ok(());
        }
        Err(format!("expected {expected:?} {position}, found {:?}", String::from_utf8_lossy(&found)))
    }
}

/// Returns the boundary that a stream's head declares.
pub(crate) fn boundary(head: &Head) -> Result<String, String> {
    if head.status != 200 {
        return Err(format!("status {}, not 200", head.status));
    }
    let content_type = head.header("content-type").ok_or("the stream has no Content-Type")?;
    let mut parameters = content_type.split(';').map(str::trim);
    if !parameters.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case("multipart/x-mixed-replace")) {
        return Err(format!("Content-Type is {content_type:?}, not multipart/x-mixed-replace"));
    }
    parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim_matches('"').to_owned())
        .filter(|boundary| !boundary.is_empty())
        .ok_or_else(|| format!("Content-Type {content_type:?} has no boundary"))
}

/// Counts the complete parts in a stream that a program saved. It must start like a stream, and may break off anywhere.
///
/// # Errors
///
/// At the first deviation from the format.
pub fn count_parts(bytes: &[u8], boundary: &str) -> Result<usize, String> {
    let opening = format!("--{boundary}\r\n");
    let mut rest = bytes.strip_prefix(opening.as_bytes()).ok_or("the saved stream does not start with the boundary")?;
    let delimiter = format!("\r\n{opening}");
    let mut count = 0;
    loop {
        let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(count) };
        let (head, body) = rest.split_at(end + 4);
        let head = String::from_utf8_lossy(head).into_owned();
        let headers = head.lines().take_while(|line| !line.is_empty()).map(parse_header);
        let headers = headers.collect::<Result<Vec<_>, _>>()?;
        let length = header(&headers, "content-length").ok_or("a part has no Content-Length")?;
        let length: usize = length.parse().map_err(|_| format!("a part's Content-Length is {length:?}"))?;
        if body.len() < length.saturating_add(delimiter.len()) {
            return Ok(count);
        }
        let (image, after) = body.split_at(length);
        jpeg::size(image)?;
        count += 1;
        rest = after.strip_prefix(delimiter.as_bytes()).ok_or("an image is not followed by the boundary")?;
    }
}
