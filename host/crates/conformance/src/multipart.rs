//! The reference: a reader that forgives nothing.

use std::time::{Duration, Instant};

use crate::Target;
use crate::http::{Head, Input, Request, header, parse_header, request};
use crate::jpeg;

/// A larger one is taken for a wrong length.
const LARGEST: usize = 64 * 1024 * 1024;

/// One picture of a stream.
#[derive(Debug)]
pub struct Part {
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// The picture.
    pub jpeg: Vec<u8>,
    /// Width and height.
    pub size: (u16, u16),
    /// When its last byte was read.
    pub arrived: Instant,
    /// How much later the delimiter after it was read.
    pub delimiter_after: Duration,
}

impl Part {
    /// When the picture was taken, by the server's clock, if it says so.
    ///
    /// # Errors
    ///
    /// If what it says is no number.
    pub fn timestamp(&self) -> Result<Option<f64>, String> {
        let Some(text) = header(&self.headers, "x-timestamp") else { return Ok(None) };
        text.parse().map(Some).map_err(|_| format!("X-Timestamp is {text:?}, not seconds"))
    }
}

/// Reads a stream, strictly.
#[derive(Debug)]
pub struct Reader {
    /// What came before the stream.
    pub head: Head,
    /// The boundary without its dashes.
    pub boundary: String,
    input: Input,
    opened: bool,
}

impl Reader {
    /// Asks for a path and expects a stream, all of whose parts that are read come `within` that time.
    ///
    /// # Errors
    ///
    /// If the answer is not a stream.
    pub fn open(target: &Target, path: &str, within: Duration) -> Result<Self, String> {
        Self::ask(target, &Request::get(path), within)
    }

    /// The same with any request.
    ///
    /// # Errors
    ///
    /// If the answer is not a stream.
    pub fn ask(target: &Target, asked: &Request<'_>, within: Duration) -> Result<Self, String> {
        let response = request(target, asked, within)?;
        let boundary = boundary(&response.head).map_err(|error| format!("{}: {error}", asked.path))?;
        Ok(Self { head: response.head, boundary, input: Input::new(response.body), opened: false })
    }

    /// The same reader, which reads so many bytes a second.
    #[must_use]
    pub fn slowed(mut self, bytes_a_second: f64) -> Self {
        self.input.slow_down(bytes_a_second);
        self
    }

    /// The next picture, and the delimiter after it.
    ///
    /// # Errors
    ///
    /// Says where the stream departs from the form.
    pub fn next_part(&mut self) -> Result<Part, String> {
        let headers = self.part_head()?;
        match header(&headers, "content-type") {
            Some(value) if value.eq_ignore_ascii_case("image/jpeg") => {}
            other => return Err(format!("a part's Content-Type is {other:?}, not image/jpeg")),
        }
        let length = header(&headers, "content-length").ok_or("a part has no Content-Length")?;
        let length: usize = length.parse().map_err(|_| format!("a part's Content-Length is {length:?}"))?;
        if length > LARGEST {
            return Err(format!("a part's Content-Length is {length}"));
        }
        let jpeg = self.input.exact(length)?;
        let arrived = Instant::now();
        let size = jpeg::size(&jpeg).map_err(|error| format!("with Content-Length {length}: {error}"))?;
        self.delimiter()?;
        Ok(Part { headers, jpeg, size, arrived, delimiter_after: arrived.elapsed() })
    }

    /// The headers of the next part. Before the first of them stands the boundary that opens the body.
    ///
    /// # Errors
    ///
    /// If something else stands there.
    pub fn part_head(&mut self) -> Result<Vec<(String, String)>, String> {
        if !self.opened {
            self.expect_line(&format!("--{}\r\n", self.boundary), "at the body's start")?;
            self.opened = true;
        }
        let mut headers = Vec::new();
        loop {
            let line = self.input.line()?;
            let line = String::from_utf8_lossy(&line);
            let Some(text) = line.strip_suffix("\r\n") else {
                return Err(format!("a part's header ends without CR LF: {line:?}"));
            };
            if text.is_empty() {
                return Ok(headers);
            }
            headers.push(parse_header(text)?);
        }
    }

    /// A picture whose length is not told: all until the delimiter, and that.
    ///
    /// # Errors
    ///
    /// If the delimiter does not come.
    pub fn until_delimiter(&mut self) -> Result<Vec<u8>, String> {
        let delimiter = format!("\r\n--{}\r\n", self.boundary);
        let mut bytes = Vec::new();
        while !bytes.ends_with(delimiter.as_bytes()) {
            bytes.push(self.input.byte()?);
            if bytes.len() > LARGEST {
                return Err(format!("no {delimiter:?} within {LARGEST} bytes"));
            }
        }
        bytes.truncate(bytes.len() - delimiter.len());
        Ok(bytes)
    }

    fn delimiter(&mut self) -> Result<(), String> {
        self.expect_line("\r\n", "after a picture")?;
        self.expect_line(&format!("--{}\r\n", self.boundary), "after a picture")
    }

    fn expect_line(&mut self, expected: &str, place: &str) -> Result<(), String> {
        let found = self.input.exact(expected.len())?;
        if found == expected.as_bytes() {
            return Ok(());
        }
        Err(format!("{:?} stands {place}, not {expected:?}", String::from_utf8_lossy(&found)))
    }
}

/// The boundary that a stream's head tells.
pub(crate) fn boundary(head: &Head) -> Result<String, String> {
    if head.status != 200 {
        return Err(format!("status {}, not 200", head.status));
    }
    let content_type = head.header("content-type").ok_or("the stream has no Content-Type")?;
    let mut parameters = content_type.split(';').map(str::trim);
    if !parameters.next().is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/x-mixed-replace")) {
        return Err(format!("Content-Type is {content_type:?}, not multipart/x-mixed-replace"));
    }
    parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim_matches('"').to_owned())
        .filter(|boundary| !boundary.is_empty())
        .ok_or_else(|| format!("Content-Type {content_type:?} has no boundary"))
}

/// Parts of a stream that a program saved: it must begin as a stream does, and may be cut anywhere. How many
/// whole pictures it has.
///
/// # Errors
///
/// Says where the stream departs from the form.
pub fn count_saved(bytes: &[u8], boundary: &str) -> Result<usize, String> {
    let opening = format!("--{boundary}\r\n");
    let mut rest = bytes.strip_prefix(opening.as_bytes()).ok_or("what was saved does not begin with the boundary")?;
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
        let (picture, after) = body.split_at(length);
        jpeg::size(picture)?;
        count += 1;
        rest = after.strip_prefix(delimiter.as_bytes()).ok_or("no boundary follows a picture")?;
    }
}
