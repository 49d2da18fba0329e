//! Responses with `wasi:http`.
//!
//! Components that use this library let their bindings use its types of `wasi:http`: with
//! `with: { "wasi:http/types@0.2.12": response::http }`, `wit_bindgen::generate!` does so.

pub use bindings::wasi::http::types as http;
use bindings::wasi::io::streams::OutputStream;
use http::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package hotshoe:response;

            world responses {
                import wasi:http/types@0.2.12;
            }
        ",
        path: "../../../wit/server",
        world: "hotshoe:response/responses",
        generate_all,
    });
}

/// The most bytes that the host takes at once (`wasi:io/streams`).
const CHUNK: usize = 4096;

/// The client has gone.
pub struct Disconnected;

/// The body of a response.
pub struct Body {
    stream: OutputStream,
    /// What does not fill a chunk yet.
    rest: Vec<u8>,
}

impl Body {
    /// Writes bytes. They may remain in a buffer until more is written. Waits while the client cannot take more.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Disconnected> {
        self.rest.extend(bytes);
        let whole = self.rest.len() - self.rest.len() % CHUNK;
        self.send(whole)
    }

    /// Sends all bytes that were written.
    pub fn flush(&mut self) -> Result<(), Disconnected> {
        self.send(self.rest.len())
    }

    fn send(&mut self, length: usize) -> Result<(), Disconnected> {
        let mut chunks = self.rest[..length].chunks(CHUNK);
        let sent = chunks.try_for_each(|chunk| self.stream.blocking_write_and_flush(chunk));
        self.rest.drain(..length);
        sent.map_err(|_| Disconnected)
    }
}

/// Responds with these headers, and with the body that `write` writes. If `write` fails, the response is incomplete.
///
/// # Panics
///
/// Panics if the status or a header is invalid.
pub fn send(
    out: ResponseOutparam,
    status: u16,
    headers: &[(&str, &str)],
    write: impl FnOnce(&mut Body) -> Result<(), Disconnected>,
) {
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).expect("the header is valid");
    }
    let response = OutgoingResponse::new(fields);
    response.set_status_code(status).expect("the status is valid");
    let outgoing = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));
    let stream = outgoing.write().expect("the stream is taken once");
    let mut body = Body { stream, rest: Vec::new() };
    if write(&mut body).and_then(|()| body.flush()).is_ok() {
        // A stream must be dropped before its body is finished.
        drop(body);
        let _ = OutgoingBody::finish(outgoing, None);
    }
}
