//! Responses with `wasi:http`.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use crate::bindings::wasi::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};

/// The status of a response, and its headers except for the content type and length.
pub struct Head<'a> {
    /// The status code.
    pub status: u16,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
}

/// The headers of a response that must not be cached.
pub const NO_CACHE: [(&str, &str); 3] = [
    ("cache-control", "no-store, no-cache, must-revalidate, max-age=0"),
    ("pragma", "no-cache"),
    ("expires", "Mon, 3 Jan 2000 12:34:56 GMT"),
];

/// The policy of the pages (Content Security Policy Level 3): scripts and styles are inline, and everything else comes
/// from and goes to this server. The host adds `frame-ancestors`.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; \
    script-src 'unsafe-inline'; connect-src 'self'; form-action 'none'; base-uri 'none'";

/// The header of a stream: proxies such as nginx must not buffer it.
pub const UNBUFFERED: [(&str, &str); 1] = [("x-accel-buffering", "no")];

/// The methods of most pages.
const METHODS: &str = "GET, HEAD, OPTIONS";
/// The methods of `/controls`.
const CONTROLS_METHODS: &str = "GET, HEAD, OPTIONS, POST";

pub const BAD_REQUEST: Head = Head { status: 400, headers: &[] };
pub const NOT_FOUND: Head = Head { status: 404, headers: &[] };
pub const OPTIONS: Head = Head { status: 204, headers: &[("allow", METHODS)] };
pub const CONTROLS_OPTIONS: Head = Head { status: 204, headers: &[("allow", CONTROLS_METHODS)] };
pub const METHOD_NOT_ALLOWED: Head = Head { status: 405, headers: &[("allow", METHODS)] };
pub const CONTROLS_METHOD_NOT_ALLOWED: Head = Head { status: 405, headers: &[("allow", CONTROLS_METHODS)] };
/// There is no picture at the moment. Clients may retry after a second.
pub const UNAVAILABLE: Head = Head { status: 503, headers: &[("retry-after", "1"), NO_CACHE[0]] };

/// The guest has a bug.
pub const INTERNAL_ERROR: Head = Head { status: 500, headers: &NO_CACHE };

/// The client has disconnected.
pub struct Disconnected;

/// The body of a response. [`BodyWriter::finish`] completes it; dropping the writer aborts it.
pub struct BodyWriter {
    // In this order, because a stream must be dropped before its body.
    stream: OutputStream,
    body: OutgoingBody,
}

/// Starts a response. Returns `None` if the client only requested the head.
pub fn start(
    out: ResponseOutparam,
    head_only: bool,
    head: &Head,
    content_type: &str,
    length: Option<u64>,
) -> Option<BodyWriter> {
    let response = new(head, content_type, length);
    if head_only {
        ResponseOutparam::set(out, Ok(response));
        return None;
    }
    let body = response.body().ok();
    ResponseOutparam::set(out, Ok(response));
    let body = body?;
    let stream = body.write().ok()?;
    Some(BodyWriter { stream, body })
}

/// Creates a response.
pub fn new(head: &Head, content_type: &str, length: Option<u64>) -> OutgoingResponse {
    let length = length.map(|length| length.to_string());
    let length = length.as_deref().map(|length| ("content-length", length));
    response_with(head, [("content-type", content_type)].into_iter().chain(length))
}

/// Creates a response with `first`, then the headers of `head`.
fn response_with<'a>(head: &Head<'a>, first: impl Iterator<Item = (&'a str, &'a str)>) -> OutgoingResponse {
    let fields = Fields::new();
    for (name, value) in first.chain(head.headers.iter().copied()) {
        // Fails only for names and values that are invalid in HTTP.
        let _ = fields.append(name, value.as_bytes());
    }
    let response = OutgoingResponse::new(fields);
    let _ = response.set_status_code(head.status);
    response
}

/// Sends a response without a body (RFC 9110, section 15.3.5: 204).
pub fn send_empty(out: ResponseOutparam, head: &Head) {
    ResponseOutparam::set(out, Ok(response_with(head, [].into_iter())));
}

/// Sends a line of plain text.
pub fn send_line(out: ResponseOutparam, head_only: bool, head: &Head, line: &str) {
    send(out, head_only, head, "text/plain; charset=utf-8", line.as_bytes());
}

/// Sends a complete response.
pub fn send(out: ResponseOutparam, head_only: bool, head: &Head, content_type: &str, bytes: &[u8]) {
    let Some(mut writer) = start(out, head_only, head, content_type, Some(bytes.len() as u64)) else { return };
    if writer.write(bytes).is_ok() {
        writer.finish();
    }
}

impl BodyWriter {
    /// Writes bytes. Blocks while the client does not read.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), Disconnected> {
        while !bytes.is_empty() {
            let permit = self.permit()?.min(bytes.len());
            let (now, later) = bytes.split_at(permit);
            self.stream.write(now).map_err(disconnected)?;
            bytes = later;
        }
        Ok(())
    }

    /// Writes `length` bytes from a stream of the host without copying them to the guest. Blocks while the client does
    /// not read.
    pub fn splice(&mut self, from: &InputStream, mut length: u64) -> Result<(), Disconnected> {
        while length > 0 {
            match self.stream.splice(from, length).map_err(disconnected)? {
                0 => self.wait(),
                moved => length -= moved,
            }
        }
        Ok(())
    }

    /// Blocks until bytes can be written, and returns how many.
    fn permit(&self) -> Result<usize, Disconnected> {
        loop {
            match self.stream.check_write().map_err(disconnected)? {
                0 => self.wait(),
                permit => return Ok(usize::try_from(permit).unwrap_or(usize::MAX)),
            }
        }
    }

    fn wait(&self) {
        self.stream.subscribe().block();
    }

    /// Completes the response.
    pub fn finish(self) {
        let Self { stream, body } = self;
        drop(stream);
        // Fails if the body is shorter than its Content-Length. Then the host aborts the response.
        let _ = OutgoingBody::finish(body, None);
    }
}

/// Discards the error: no client is left to report it to.
fn disconnected(_: StreamError) -> Disconnected {
    Disconnected
}

/// Returns the headers of a response that must not be cached, followed by `more`.
pub fn no_cache_and<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut headers = vec![];
    headers.extend(NO_CACHE);
    headers.extend(more);
    headers
}
