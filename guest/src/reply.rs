//! Responses over `wasi:http`.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::bindings::hotshoe::server::channels::{self, ViewerOptions};
use crate::bindings::wasi::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};

/// A response's status, and the headers that come with it beside the content type.
pub struct Head<'a> {
    /// The status code.
    pub status: u16,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
}

/// For a page or picture that is only true now.
pub const FRESH: [(&str, &str); 3] = [
    ("cache-control", "no-store, no-cache, must-revalidate, max-age=0"),
    ("pragma", "no-cache"),
    ("expires", "Mon, 3 Jan 2000 12:34:56 GMT"),
];

/// What a page of ours may do (Content Security Policy, Level 3): it has its script and its looks in itself, loads
/// from this server alone, and sends nothing elsewhere. The host decides who may
/// show it in a frame.
pub const POLICY: &str = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; \
    script-src 'unsafe-inline'; connect-src 'self'; form-action 'none'; base-uri 'none'";

/// For what is sent piece by piece: proxies such as nginx must not collect it until some buffer is full.
pub const UNBUFFERED: [(&str, &str); 1] = [("x-accel-buffering", "no")];

pub const NOT_FOUND: Head = Head { status: 404, headers: &[] };
/// What can be done with a page, and with controls.
const METHODS: &str = "GET, HEAD, OPTIONS";
const METHODS_OF_CONTROLS: &str = "GET, HEAD, OPTIONS, POST";

pub const OPTIONS: Head = Head { status: 204, headers: &[("allow", METHODS)] };
pub const OPTIONS_OF_CONTROLS: Head = Head { status: 204, headers: &[("allow", METHODS_OF_CONTROLS)] };
pub const METHOD_NOT_ALLOWED: Head = Head { status: 405, headers: &[("allow", METHODS)] };
pub const METHOD_NOT_ALLOWED_HERE: Head = Head { status: 405, headers: &[("allow", METHODS_OF_CONTROLS)] };
/// There is no picture now; a client may ask again in a second.
pub const NO_PICTURE: Head = Head { status: 503, headers: &[("retry-after", "1"), FRESH[0]] };

/// The client is gone: the end of a stream's output.
pub struct Gone;

/// A response that was begun, to be written to. It ends when [`Writer::finish`] is called; dropped without,
/// it breaks off.
pub struct Writer {
    // Dropped in this order: a stream before the body that it belongs to.
    stream: OutputStream,
    body: OutgoingBody,
}

/// Send a response's head. A client that asked for the head alone (HEAD) gets no more: there is no writer then.
pub fn begin(
    out: ResponseOutparam,
    head_only: bool,
    head: &Head,
    content_type: &str,
    length: Option<u64>,
) -> Option<Writer> {
    let response = response(head, content_type, length);
    if head_only {
        ResponseOutparam::set(out, Ok(response));
        return None;
    }
    let body = response.body().ok();
    ResponseOutparam::set(out, Ok(response));
    let body = body?;
    let stream = body.write().ok()?;
    Some(Writer { stream, body })
}

/// Send a response whose body the channels of these names write, at least one. A client that asked for the head alone
/// gets that.
pub fn shared(
    out: ResponseOutparam,
    head_only: bool,
    head: &Head,
    content_type: &str,
    names: &[String],
    viewing: &ViewerOptions,
) {
    let response = response(head, content_type, None);
    if !head_only && let Ok(body) = response.body() {
        let joined = match names {
            // A part of a single channel costs less.
            [name] => channels::join(body, name, viewing),
            names => channels::join_all(body, names, viewing),
        };
        if joined.is_err() {
            // There are as many channels as cameras, so this takes more cameras than the host has channels.
            return text(out, head_only, &NO_PICTURE, "503 there are too many streams, try again soon\n");
        }
    }
    ResponseOutparam::set(out, Ok(response));
}

/// A response without its body.
fn response(head: &Head, content_type: &str, length: Option<u64>) -> OutgoingResponse {
    let length = length.map(|length| length.to_string());
    let length = length.as_deref().map(|length| ("content-length", length));
    with_headers(head, [("content-type", content_type)].into_iter().chain(length))
}

/// A response with these headers before those of its head.
fn with_headers<'a>(head: &Head<'a>, first: impl Iterator<Item = (&'a str, &'a str)>) -> OutgoingResponse {
    let fields = Fields::new();
    for (name, value) in first.chain(head.headers.iter().copied()) {
        // Fails for names and values that HTTP does not allow, of which there are none here.
        let _ = fields.append(name, value.as_bytes());
    }
    let response = OutgoingResponse::new(fields);
    let _ = response.set_status_code(head.status);
    response
}

/// Send a response that has no body (RFC 9110, section 15.3.5: 204).
pub fn empty(out: ResponseOutparam, head: &Head) {
    ResponseOutparam::set(out, Ok(with_headers(head, [].into_iter())));
}

/// Send a whole response with a line of text.
pub fn text(out: ResponseOutparam, head_only: bool, head: &Head, line: &str) {
    whole(out, head_only, head, "text/plain; charset=utf-8", line.as_bytes());
}

/// Send a whole response.
pub fn whole(out: ResponseOutparam, head_only: bool, head: &Head, content_type: &str, bytes: &[u8]) {
    let Some(mut writer) = begin(out, head_only, head, content_type, Some(bytes.len() as u64)) else { return };
    if writer.write(bytes).is_ok() {
        writer.finish();
    }
}

impl Writer {
    /// Write bytes. Waits while the client does not take them.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), Gone> {
        while !bytes.is_empty() {
            let permit = self.permit()?.min(bytes.len());
            let (now, later) = bytes.split_at(permit);
            self.stream.write(now).map_err(gone)?;
            bytes = later;
        }
        Ok(())
    }

    /// Write `length` bytes of a stream of the host's. They do not pass through here.
    pub fn splice(&mut self, from: &InputStream, mut length: u64) -> Result<(), Gone> {
        while length > 0 {
            match self.stream.splice(from, length).map_err(gone)? {
                // The client has to take something first.
                0 => self.wait(),
                moved => length -= moved,
            }
        }
        Ok(())
    }

    /// How many bytes may be written at once; waits until that is at least one.
    fn permit(&self) -> Result<usize, Gone> {
        loop {
            match self.stream.check_write().map_err(gone)? {
                0 => self.wait(),
                permit => return Ok(usize::try_from(permit).unwrap_or(usize::MAX)),
            }
        }
    }

    fn wait(&self) {
        self.stream.subscribe().block();
    }

    /// End the response.
    pub fn finish(self) {
        let Self { stream, body } = self;
        drop(stream);
        // Fails if less was written than announced; the client will see that.
        let _ = OutgoingBody::finish(body, None);
    }
}

/// Whatever ends the output, nobody is there to be told.
fn gone(_: StreamError) -> Gone {
    Gone
}

/// The headers for something that is only true now, and some more.
pub fn fresh_and<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut headers = vec![];
    headers.extend(FRESH);
    headers.extend(more);
    headers
}
